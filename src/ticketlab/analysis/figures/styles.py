"""How curves look: one colour, marker and dash for each label, the same wherever the label is drawn.

Knows the colours of Okabe & Ito (2008), with a grey for their yellow, which colour-blind readers tell apart, and
besides them markers and dashes, which survive a black-and-white printer. Does not know what labels mean.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#7F7F7F")
MARKERS = "osD^vPX*<"  # not as many as colours, so that the two together tell 72 curves apart
DASHES = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (7, 2)), (0, (1, 3)))
REFERENCE = "#404040"
ORDERED = "viridis", 0.88  # for rounds, which have an order; light in print, but without its yellow end


class Style(NamedTuple):
    """What tells a curve from others.

    Attributes:
        colour: colour as Matplotlib takes it.
        marker: marker as Matplotlib takes it; empty for curves without one.
        dash: a line style.
    """

    colour: str
    marker: str = ""
    dash: Any = "-"


Styles = Mapping[str, Style]


def marked(number: int) -> Style:
    """Return the style of a curve: of 72 numbers, none have both colour and marker in common.

    >>> marked(0), marked(8)
    (Style(colour='#0072B2', marker='o', dash='-'), Style(colour='#0072B2', marker='<', dash='-'))
    """
    return Style(COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)])


def dashed(number: int) -> Style:
    """Return the style of a curve that may have to do without markers, as a distribution."""
    return marked(number)._replace(dash=DASHES[number % len(DASHES)])


def reference(number: int) -> Style:
    """Return the style of what curves are compared with: broken, grey, without markers."""
    return Style(REFERENCE, "", DASHES[1 + number % (len(DASHES) - 1)])


def ordered(labels: Iterable[str]) -> dict[str, Style]:
    """Style labels that have an order, from dark to light.

    >>> [style.dash for style in ordered(["1", "0.5", "1"]).values()]
    ['-', '--']
    """
    names, (colours, end) = list(dict.fromkeys(labels)), ORDERED
    shades = colormaps[colours](np.linspace(0, end, len(names)))
    return {
        name: Style(to_hex(shade), "", DASHES[number % len(DASHES)])
        for number, (name, shade) in enumerate(zip(names, shades, strict=True))
    }


def chosen(groups: Iterable[Iterable[str]], known: Styles | None = None) -> dict[str, Style]:
    """Style labels in their order, each once; those drawn together have styles that none of them has yet.

    Args:
        groups: labels that are drawn together.
        known: styles that some labels have already.

    >>> found = chosen([["a", "b"], ["c", "b"]])
    >>> found["a"] == found["c"] == marked(0), found["b"] == marked(1)
    (True, True)
    """
    styles = dict(known or {})
    for group in groups:
        names = list(dict.fromkeys(group))
        taken = {styles[name] for name in names if name in styles}
        number = 0
        for name in names:
            if name not in styles:
                while marked(number) in taken and number < len(COLOURS) * len(MARKERS):
                    number += 1
                styles[name] = marked(number)
                number += 1
    return styles


def in_order(labels: Iterable[str]) -> dict[str, Style]:
    """Style labels that are drawn together, in their order."""
    return chosen([labels])
