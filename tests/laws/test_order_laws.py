"""Laws of orders and numbers: batches without gap or repetition, seeds from a text."""

import argparse
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketlab.cli.flags import parse_numbers
from ticketlab.data.dataset import batches, split
from ticketlab.experiments.sparse_training.spec import SparseTrainingSpec

SEEDS = st.integers(0, 1000)


@given(st.integers(1, 60), st.integers(1, 20), SEEDS, st.integers(1, 4))
def test_every_sample_is_used_once_per_epoch_and_no_batch_is_short(samples, batch_size, seed, epochs):
    indices = np.arange(100, 100 + samples, dtype=np.int32)
    iterations = -(-epochs * samples // batch_size)
    order = batches(indices, batch_size, seed, 0, iterations)
    assert order.shape == (iterations, batch_size)
    for epoch in np.split(order.ravel()[: epochs * samples], epochs):
        assert np.array_equal(np.sort(epoch), indices)


@given(st.integers(1, 60), st.integers(1, 20), SEEDS, st.lists(st.integers(0, 30), min_size=2, max_size=5).map(sorted))
def test_stretches_one_after_the_other_are_the_whole(samples, batch_size, seed, ends):
    indices = np.arange(samples, dtype=np.int32)
    parts = [batches(indices, batch_size, seed, *pair) for pair in itertools.pairwise(ends)]
    assert np.array_equal(np.concatenate(parts), batches(indices, batch_size, seed, ends[0], ends[-1]))


@given(st.integers(2, 5000))
def test_training_and_validation_share_all_samples(samples):
    training, validation = split(samples)
    assert np.array_equal(np.sort(np.concatenate([training, validation])), np.arange(samples))
    assert validation.size == max(1, round(samples / 12))


@given(st.lists(st.integers(0, 9999), min_size=1, max_size=20, unique=True))
def test_numbers_are_read_as_they_are_written(numbers):
    assert parse_numbers(",".join(map(str, numbers))) == numbers
    assert parse_numbers(" , ".join(map(str, numbers))) == numbers


@given(st.integers(0, 500), st.integers(0, 500), st.integers(0, 500))
def test_a_range_is_the_numbers_in_it(first, more, apart):
    last = first + more
    assert parse_numbers(f"{first}-{last}") == list(range(first, last + 1))
    assert parse_numbers(f"{first}-{last},{last + 1 + apart}") == [*range(first, last + 1), last + 1 + apart]
    with pytest.raises(argparse.ArgumentTypeError, match="name each number once"):
        parse_numbers(f"{first}-{last},{last}")
    with pytest.raises(argparse.ArgumentTypeError, match=rf"Received: {last + 1}-{first}"):
        parse_numbers(f"{last + 1}-{first}")


@given(st.text(max_size=8))
def test_any_other_text_is_refused(text):
    try:
        numbers = parse_numbers(text)
    except argparse.ArgumentTypeError:
        return
    assert numbers
    assert set(text) <= {*"-,", *filter(str.isspace, text), *filter(str.isdigit, text)}
    assert len(set(numbers)) == len(numbers)


@given(
    st.sampled_from(["dense", "static", "set", "rigl", "gradual", "cut"]), st.integers(20, 300), st.integers(1, 20),
    st.integers(1, 200),
)  # fmt: skip
def test_the_stretches_of_a_sparse_training_follow_each_other(method, iterations, save_every, samples):
    updates = {"update_every": 7} if method in ("set", "rigl", "gradual") else {}
    settings = {"iterations": iterations, "save_every": save_every, "batch_size": 10, **updates}
    spec = SparseTrainingSpec(method=method, dataset="digits", **settings)
    stretches = spec.stretches(samples)
    assert (stretches[0], stretches[-1][1]) == ((0, 0), iterations)
    assert all(first[1] == second[0] for first, second in itertools.pairwise(stretches))
    assert all(begin < end for begin, end in stretches[1 : len(stretches) - (method == "cut")])
