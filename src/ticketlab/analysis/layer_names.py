"""Names of layers in figures, from the shapes of their kernels, and which of many layers are shown."""

from collections.abc import Mapping, Sequence

from ticketlab.analysis.runs import FinishedRun

ALL = "all layers"
MOST_CURVES, MOST_PANELS = 8, 4  # layers that one panel may show, and layers that get their own panels


def layer_names(run: FinishedRun) -> dict[str, str]:
    """Name a run's layers as `described` does, from the shapes of its masks, and all of them together."""
    return described(run.layers) | {"all": ALL}


def described(shapes: Mapping[str, Sequence[int]]) -> dict[str, str]:
    """Name layers by their type, their number within the type and their width.

    Args:
        shapes: {path: shape of the kernel} in the network's order, the last axis that of the units or channels.

    >>> list(described({"a": (3, 3, 1, 64), "b": (64, 300), "c": (300, 10)}).values())
    ['convolution 1 (64 channels)', 'hidden layer 1 (300 units)', 'output layer (10 units)']
    """
    found, convolutions, hidden = {}, 0, 0
    for path, (*before, width) in shapes.items():
        if len(before) > 1:
            convolutions += 1
            found[path] = f"convolution {convolutions} ({_counted(width, 'channel')})"
        elif path == list(shapes)[-1]:
            found[path] = f"output layer ({_counted(width, 'unit')})"
        else:
            hidden += 1
            found[path] = f"hidden layer {hidden} ({_counted(width, 'unit')})"
    return found


def ends_and_middle(layers: Sequence[str], most: int) -> list[str]:
    """Return the first, the middle and the last of more layers than can be shown, else all.

    >>> ends_and_middle("abcdefg", 4), ends_and_middle("abc", 4)
    (['a', 'd', 'g'], ['a', 'b', 'c'])
    """
    count = len(layers)
    return list(layers) if count <= most else [layers[place] for place in (0, count // 2, count - 1)]


def left_out(layers: Sequence[str], most: int) -> str:
    """Say which layers are shown, where not all are; begins with a blank.

    >>> left_out("abcdefg", 4), left_out("abc", 4)
    (' Of its 7 layers, the first, the middle and the last are shown.', '')
    """
    if len(layers) <= most:
        return ""
    return f" Of its {len(layers)} layers, the first, the middle and the last are shown."


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
