"""What is measured of rounds and of pairs of rounds. Each module knows one subject; none reads runs or draws."""

from ticketlab.analysis.measures import (
    bitmasks,
    degrees,
    input_pixels,
    mask_similarity,
    nulls,
    paths,
    seed_similarity,
    structure,
    unit_matching,
    weights,
)

__all__ = [
    "bitmasks",
    "degrees",
    "input_pixels",
    "mask_similarity",
    "nulls",
    "paths",
    "seed_similarity",
    "structure",
    "unit_matching",
    "weights",
]
