"""Functions of the step or the round: when to evaluate, how many weights each round keeps."""

from collections.abc import Mapping

from ticketlab.pruning import prune_count


def evaluation_iterations(start: int, stop: int, every: int) -> list[int]:
    """List the iterations at which a training from `start` to `stop` is evaluated: multiples of `every`, and the end.

    >>> evaluation_iterations(0, 250, 100), evaluation_iterations(100, 300, 100)
    ([100, 200, 250], [200, 300])
    """
    regular = range(start - start % every + every, stop + 1, every)
    return sorted({*regular, stop})


def next_counts(counts: Mapping[str, int], rates: Mapping[str, float], scope: str) -> dict[str, int]:
    """Count the weights kept after one more round; in the global scope under the single name "all".

    >>> next_counts({"a": 10, "b": 10}, {"a": 0.2, "b": 0.1}, "layer")
    {'a': 8, 'b': 9}
    """
    if scope == "global":
        counts = {"all": sum(counts.values())}
        rates = {"all": next(iter(rates.values()))}
    return {path: kept - prune_count(rates[path], kept) for path, kept in counts.items()}


def rounds_to_density(sizes: Mapping[str, int], rates: Mapping[str, float], scope: str, target: float) -> int:
    """Return the first round whose overall density is at most `target`.

    Raises:
        ValueError: if rounding stops the pruning above the target.

    >>> rounds_to_density({"kernel": 1000}, {"kernel": 0.2}, "layer", 0.5)
    4
    """
    counts, total, rounds = dict(sizes), sum(sizes.values()), 0
    while sum(counts.values()) / total > target:
        fewer = next_counts(counts, rates, scope)
        if sum(fewer.values()) == sum(counts.values()):
            reached = sum(counts.values()) / total
            raise ValueError(
                f"`target_density` must be one that pruning reaches, {reached:.4g} here. Received: {target}"
            )
        counts, rounds = fewer, rounds + 1
    return rounds
