"""Random masks beside real ones: what they keep, and that all that keep it are equally likely."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chisquare

from ticketlab.analysis.measures.nulls import same_degrees
from ticketlab.runs.folder import Run

SHAPES = [(6, 9), (9, 6), (1, 7), (7, 1), (2, 2), (3, 3, 2, 5), (5, 3, 4)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("density", [0, 0.1, 0.5, 1])
def test_both_degrees_are_kept(shape, density):
    rng = np.random.default_rng(0)
    mask = rng.random(shape) < density
    drawn = same_degrees({"k": mask}, rng)["k"]
    assert (drawn.shape, drawn.dtype) == (mask.shape, bool)
    for axes in (-1, tuple(range(len(shape) - 1))):
        np.testing.assert_array_equal(drawn.sum(axis=axes), mask.sum(axis=axes))


def test_a_full_row_and_an_empty_one_change_places():
    mask = np.array([[True, True, True], [False, False, False]])
    assert (same_degrees({"k": mask}, np.random.default_rng(0))["k"] == mask).all()


@pytest.mark.parametrize(
    ("mask", "matrices"),
    [
        ([[1, 0, 0], [0, 1, 0], [0, 0, 1]], 6),
        ([[1, 1, 0], [1, 0, 0], [0, 0, 1]], 5),
        ([[1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 1, 0], [0, 1, 0, 1]], 90),
    ],
)
def test_all_masks_of_these_degrees_are_equally_likely(mask, matrices):
    rng = np.random.default_rng(1)
    like, draws = {"k": np.array(mask, bool)}, 20 * matrices + 500
    seen = Counter(same_degrees(like, rng)["k"].tobytes() for _ in range(draws))
    assert len(seen) == matrices
    assert chisquare(list(seen.values())).pvalue > 0.001


def test_twice_as_many_trades_change_no_more():
    example = Run(Path(__file__).parent.parent.parent.parent / "models" / "example").round(0, 7).masks

    def left(trades):
        drawn = same_degrees(example, np.random.default_rng(0), trades)
        return [(drawn[path] & mask).sum() / mask.sum() for path, mask in list(example.items())[:2]]

    assert left(30) == pytest.approx(left(60), abs=0.02)
    assert min(left(1)) > max(left(30)) + 0.3
