"""Offline analysis of finished runs, without TensorFlow: rounds, similarity, structure, pixels and weights."""

from ticketlab.analysis import (
    degrees,
    intervals,
    matching,
    nulls,
    packed,
    paths,
    pixels,
    similarity,
    structure,
    tables,
    weight_statistics,
)

__all__ = [
    "degrees",
    "intervals",
    "matching",
    "nulls",
    "packed",
    "paths",
    "pixels",
    "similarity",
    "structure",
    "tables",
    "weight_statistics",
]
