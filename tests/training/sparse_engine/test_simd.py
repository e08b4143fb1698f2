"""Rows as values of the compiler, of every width, against NumPy."""

import numpy as np
import pytest
from numba import njit

from ticketlab.training.sparse_engine.engine import _aligned
from ticketlab.training.sparse_engine.simd import (
    VECTOR,
    dot,
    filled,
    four_dots,
    load,
    multiply_add,
    power_of_two,
    store,
)


@njit
def everything(rows, factor, width):
    a, b, c = load(rows, 0, width), load(rows, 1, width), load(rows, 2, width)
    d, e = load(rows, 3, width), load(rows, 4, width)
    store(rows, 5, multiply_add(a, factor, b))
    store(rows, 6, filled(factor, width))
    return dot(a, b), four_dots(a, b, c, d, e)


@pytest.mark.parametrize("vectors", [1, 2, 4, 8])
def test_rows_of_every_width(vectors):
    rows = _aligned(7, VECTOR * vectors)
    rows[:5] = np.random.default_rng(0).standard_normal((5, VECTOR * vectors))
    exact = rows.astype(np.float64)
    product, products = everything(rows, np.float32(0.3), (0,) * vectors)
    assert product == pytest.approx(exact[0] @ exact[1], rel=1e-5, abs=1e-5)
    np.testing.assert_allclose(products, exact[1:5] @ exact[0], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(rows[5], exact[0] + 0.3 * exact[1], rtol=1e-6, atol=1e-6)
    assert (rows[6] == np.float32(0.3)).all()


def test_powers_of_two():
    power = njit(lambda exponent: power_of_two(exponent))
    assert [power(np.float32(n)) for n in (-126, -1, 0, 5, 127)] == [2.0**n for n in (-126, -1, 0, 5, 127)]
