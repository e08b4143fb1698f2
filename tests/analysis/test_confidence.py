import numpy as np
import pytest
from scipy import stats

from ticketlab.means import mean_interval


def test_interval_is_that_of_the_t_test():
    values = np.random.default_rng(0).normal(3, 2, 8)
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    mean, half_width = mean_interval(values)
    assert (mean - half_width, mean + half_width) == pytest.approx((low, high))


def test_too_few_values_have_no_interval():
    assert np.isnan(mean_interval([1.0])[1])
    assert mean_interval([1.0, 3.0])[0] == 2
    assert np.isnan(mean_interval([1.0, 3.0])[1]), "it would be nine standard deviations wide"
    assert np.isnan(mean_interval([])).all()
    assert np.isnan(mean_interval([1.0, np.nan])).all()
