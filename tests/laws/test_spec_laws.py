"""Laws of specs: what is written is read back as the same run, in whatever order it is said."""

import json
from dataclasses import fields, replace

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ticketlab.errors import BadInput
from ticketlab.experiments.registry import EXPERIMENTS
from ticketlab.runs.fields import value_type

NAMES = {"dataset": ["digits", "mnist"], "network": ["lenet_300_100", "conv2", "resnet20", "fcn_8_6", "my/net.py:net"]}
NUMBERS = {
    int: st.integers(0, 200),
    float: st.sampled_from([0.0, 0.01, 0.1, 0.5, 0.9, 1.0]),
    bool: st.booleans(),
    tuple: st.lists(st.integers(1, 50), max_size=3, unique=True).map(sorted).map(tuple),
}


def values(each):
    """Return a strategy for a field: one of its names, or what its type holds."""
    names = NAMES.get(each.name) or each.metadata["choices"]
    return st.sampled_from(list(names)) if names else NUMBERS[value_type(each.type)]


@st.composite
def specs(draw):
    """Draw a spec of any kind with up to five fields given, and what was given."""
    spec_class = EXPERIMENTS[draw(st.sampled_from(sorted(EXPERIMENTS)))].spec
    chosen = draw(st.lists(st.sampled_from(fields(spec_class)), max_size=5, unique=True))
    given_fields = {each.name: draw(values(each)) for each in chosen}
    try:
        return spec_class(**given_fields), given_fields
    except BadInput:
        assume(False)


widely = settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])  # most fields exclude some


@widely
@given(specs())
def test_a_spec_goes_through_json_and_stays_itself(drawn):
    spec, _ = drawn
    again = type(spec).from_json(spec.to_json())
    assert again == spec.resolved
    assert (again.key(), again.folder_names()) == (spec.key(), spec.folder_names())
    assert again.to_json() == spec.to_json()


@widely
@given(specs(), st.randoms(use_true_random=False))
def test_the_order_in_which_fields_are_given_means_nothing(drawn, random):
    spec, said = drawn
    shuffled = list(said.items())
    random.shuffle(shuffled)
    assert type(spec)(**dict(shuffled)) == spec
    stored = list(json.loads(spec.to_json()).items())
    random.shuffle(stored)
    assert type(spec).from_json(json.dumps(dict(stored))).key() == spec.key()


@widely
@given(specs())
def test_what_was_filled_in_may_be_said(drawn):
    """And it is the same run: all fields given, only those, or one by one."""
    spec, said = drawn
    decided = {each.name: getattr(spec.resolved, each.name) for each in fields(spec)}
    assert type(spec)(**decided) == spec.resolved
    assert replace(spec, **said) == replace(spec) == spec
    for name, value in decided.items():
        assert replace(spec, **{name: value}).resolved == spec.resolved


@widely
@given(specs())
def test_fields_outside_the_key_change_no_name_of_a_run(drawn):
    spec, _ = drawn
    outside = {each.name for each in fields(spec) if not each.metadata["key"]}
    assert not outside & set(spec.described())
    assert set(spec.normal()) == set(spec.described())
    assert spec.key() in spec.folder_name()
