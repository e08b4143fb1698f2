"""Every network, criterion and scope as a command: exact masks, files that can be trusted, resumed and in parallel."""

import functools
import itertools
import math

import numpy as np
import pytest

from conftest import arrays_of, contents, only_run, same, trainings
from ticketlab.data import sources
from ticketlab.execution import launch
from ticketlab.experiments import replicate
from ticketlab.experiments.events import Evaluated
from ticketlab.experiments.lottery.spec import ImpSpec
from ticketlab.networks import architectures
from ticketlab.runs.folder import Run
from ticketlab.sparsity import masks
from ticketlab.sparsity.criteria import CRITERIA
from ticketlab.sparsity.pruning import SCOPES
from ticketlab.training.engine import EngineSettings

TINY = ("--dataset", "digits", "--network", "fcn_8_6", "--iterations", 20, "--eval-every", 10, "--rounds", 2)
FEW = ("--iterations", 4, "--eval-every", 2, "--batch-size", 16, "--rounds", 2)
RATES = {"--conv-prune-rate": 0.3, "--prune-rate": 0.5, "--output-prune-rate": 0.25}


@pytest.fixture(scope="module")
def resnet(inline, images, tmp_path_factory):
    """A run of ResNet-20 with two seeds, and the flags that made it."""
    folder = tmp_path_factory.mktemp("resnet")
    line = ("--dataset", "small", "--data-dir", images, "--network", "resnet20", *FEW, "--rewind-iteration", 2)
    assert inline(folder, *line, "--seeds", "0,1").returncode == 0
    return only_run(folder / "models"), line


@pytest.mark.parametrize("network", [*architectures.NETWORKS, "fcn_8_6_5"])
def test_every_network_is_pruned_exactly_and_says_what_it_is_worth(inline, images, tmp_path, calls, network):
    dataset = "wide" if network == "lenet5" else "small"
    line = ("--network", network, "--dataset", dataset, "--data-dir", images, *FEW, *itertools.chain(*RATES.items()))
    done = inline(tmp_path, *line, script="cnn_imp.py")
    assert (done.returncode, done.stderr) == (0, "")
    run = only_run(tmp_path / "models")
    records = [run.round(0, number) for number in range(3)]
    layers = list(records[0].masks)
    for before, after in itertools.pairwise(records):
        for path, mask in after.masks.items():
            rate = 0.25 if path == layers[-1] else 0.3 if mask.ndim > 2 else 0.5
            kept = np.count_nonzero(before.masks[path])
            assert np.count_nonzero(mask) == kept - round(rate * kept)
            assert (mask <= before.masks[path]).all()
    started = [training.weights for training in trainings(calls)]
    for record, start in zip(records, started, strict=True):
        weights = record.weights
        assert same(start, masks.apply(records[0].rewind, record.masks))
        assert not any(weights[path][~mask].any() for path, mask in record.masks.items())
        assert any((weights[path] != start[path]).any() for path in layers)
    statistics = [path for path in weights if "moving" in path]
    assert len(statistics) == (38 if network == "resnet20" else 0)


def test_normalisation_statistics_are_those_of_the_end_of_training_and_of_the_rewind(inline, images, resnet, tmp_path):
    """What a file's weights are worth is what the file says; what rounds rewind to is the state of that iteration."""
    run, line = resnet
    assert inline(tmp_path, *line[:-2], "--rounds", 0, "--iterations", 2).returncode == 0
    once = only_run(tmp_path / "models").round(0, 0)
    rewound = once.weights
    assert same(run.round(0, 0).rewind, rewound)
    small = sources.load("small", images)
    spec = ImpSpec(optimizer="sgd", momentum=0.9, batch_size=16, eval_every=2, iterations=4)
    engine = inline.engine(architectures.build("resnet20", (8, 8), 10), small, EngineSettings.of(spec))
    for record in run.records():
        weights, attributes = record.weights, record.attributes
        engine.load(weights, record.masks)
        assert engine.evaluate("test") == (attributes["test_loss"], attributes["test_accuracy"])
        assert all((weights[path] != rewound[path]).any() for path in weights if "moving" in path)


def interrupt(monkeypatch, *at):
    """Press Ctrl-C at some evaluations, counted over all that follows."""
    evaluations, event = itertools.count(1), launch.Display.event

    def pressed(self, seed, said):
        event(self, seed, said)
        if isinstance(said, Evaluated) and next(evaluations) in at:
            raise KeyboardInterrupt

    monkeypatch.setattr(launch.Display, "event", pressed)


@pytest.mark.parametrize("network", ["resnet20", "fcn_8_6"])
def test_interrupted_and_resumed_in_the_middle_of_rounds(inline, resnet, tmp_path, monkeypatch, network):
    whole, line = resnet
    if network == "fcn_8_6":
        line = (*TINY, "--rewind-iteration", 5, "--patience", 1)
        assert inline(tmp_path, *line, "--models-dir", "whole").returncode == 0
        whole = only_run(tmp_path / "whole")
    monkeypatch.setattr(replicate, "PARTIAL_SECONDS", 0.0)
    interrupt(monkeypatch, 1, 3, 5)
    assert [inline(tmp_path, *line).returncode for _ in range(4)] == [130, 130, 130, 0]
    run = only_run(tmp_path / "models")
    assert contents(run) == {place: value for place, value in contents(whole).items() if place[0] == 0}
    assert not list(run.folder.rglob("*.partial.h5"))


@functools.cache
def scores(criterion):
    """The table of Zhou et al. 2019, written down once more."""
    return {
        "large_final": lambda i, f: abs(f),
        "small_final": lambda i, f: -abs(f),
        "large_initial": lambda i, f: abs(i),
        "small_initial": lambda i, f: -abs(i),
        "large_initial_and_final": lambda i, f: np.minimum(abs(f), abs(i)),
        "small_initial_and_final": lambda i, f: -np.maximum(abs(f), abs(i)),
        "magnitude_increase": lambda i, f: abs(f) - abs(i),
        "movement": lambda i, f: abs(f - i),
        "random": None,
    }[criterion]


@pytest.fixture(scope="module")
def initial(inline, tmp_path_factory):
    """The weights at iteration 0 of the tiny network."""
    folder = tmp_path_factory.mktemp("initial")
    assert inline(folder, *TINY, "--rounds", 0).returncode == 0
    return only_run(folder / "models").round(0, 0).rewind


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("criterion", CRITERIA)
def test_every_criterion_and_scope_keeps_the_highest_scores(inline, initial, tmp_path, criterion, scope):
    """Initial weights are those at iteration 0, though the rounds rewind to iteration 5."""
    line = (*TINY, "--criterion", criterion, "--scope", scope, "--rewind-iteration", 5)
    assert inline(tmp_path, *line).returncode == 0
    run = only_run(tmp_path / "models")
    assert not same(initial, run.round(0, 0).rewind)
    for number in (1, 2):
        after, earlier = run.round(0, number).masks, run.round(0, number - 1)
        before, final = earlier.masks, earlier.weights
        groups = [list(after)] if scope == "global" else [[path] for path in after]
        for paths in groups:
            kept, now = (np.concatenate([of[path].ravel() for path in paths]) for of in (before, after))
            rate = 0.1 if paths == ["dense_3/kernel"] else 0.2
            assert now.sum() == kept.sum() - round(rate * kept.sum())
            assert (now <= kept).all()
            if criterion != "random":
                every = [scores(criterion)(initial[path], final[path]).ravel() for path in paths]
                found = np.concatenate(every)
                assert found[now].min() >= found[kept & ~now].max()


def forward(activation, weights, x):
    """Compute a dense network by hand."""
    function = {
        "relu": lambda z: np.maximum(z, 0),
        "tanh": np.tanh,
        "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
        "gelu": lambda z: z * (1 + np.vectorize(math.erf)(z / math.sqrt(2))) / 2,
    }[activation]
    layers = [path.removesuffix("/kernel") for path in weights if path.endswith("/kernel")]
    for layer in layers:
        x = x @ weights[f"{layer}/kernel"].astype(float) + weights[f"{layer}/bias"]
        x = x if layer == layers[-1] else function(x)
    return x


@pytest.mark.parametrize(
    ("activation", "initialiser", "variance", "bound"),
    [
        ("tanh", "lecun_uniform", 1 / 64, math.sqrt(3 / 64)),
        ("sigmoid", "he_normal", 2 / 64, None),
        ("gelu", "he_uniform", 2 / 64, math.sqrt(6 / 64)),
    ],
)
def test_activation_and_initialiser_by_hand(inline, tmp_path, digits, activation, initialiser, variance, bound):
    line = (*TINY, "--network", "fcn_200", "--rounds", 1, "--activation", activation, "--initialiser", initialiser)
    assert inline(tmp_path, *line).returncode == 0
    run = only_run(tmp_path / "models")
    kernel = run.round(0, 0).rewind["dense_1/kernel"]
    assert kernel.var() == pytest.approx(variance, rel=0.03)
    assert bound is None or 0.99 * bound < abs(kernel).max() <= bound
    last = run.round(0, 1)
    logits = forward(activation, last.weights, digits.x_test.reshape(-1, 64) / 16)
    picked = logits[np.arange(len(logits)), digits.y_test]
    assert last.attributes["test_accuracy"] == pytest.approx((logits.argmax(1) == digits.y_test).mean(), abs=0.004)
    assert last.attributes["test_loss"] == pytest.approx((np.log(np.exp(logits).sum(1)) - picked).mean(), rel=1e-4)


NORMALISED = """
from keras import Input, Sequential, layers

def net(shape, outputs):
    convolution = [layers.Conv2D(4, 3, use_bias=False, name="conv"), layers.BatchNormalization(name="norm")]
    dense = [layers.Flatten(), layers.Dense(12, "relu", name="one"), layers.Dense(outputs, name="two")]
    return Sequential([Input(shape), layers.Reshape((*shape, 1)), *convolution, *dense])
"""
COMPOSITE = (
    *("--network", "mine.py:net", "--dataset", "small", "--iterations", 12, "--eval-every", 5),
    *("--optimizer", "sgd", "--learning-rate", 0.1, "--momentum", 0.9, "--nesterov", "--weight-decay", 1e-3),
    *("--l1-penalty", 1e-5, "--schedule", "step", "--schedule-steps", "6,10", "--schedule-factor", 0.5, "--warmup", 3),
    *("--rewind-iteration", 4, *itertools.chain(*RATES.items()), "--criterion", "magnitude_increase", "--seeds", "0,1"),
)


def test_one_and_two_processes_give_the_same_bits(inline, images, tmp_path):
    """A run of many options at once and a branch of it, a network that keeps statistics, two workers or none."""
    (tmp_path / "mine.py").write_text(NORMALISED)
    both = (*COMPOSITE, "--data-dir", images)
    run, branch = (*both, "--rounds", 1), (*both, "--branch", "shuffled_weights", "--only-rounds", 1)
    for folder, processes in (("two", 2), ("none", 0)):
        for line in (run, branch):
            flags = (*line, "--models-dir", folder)
            done = inline(tmp_path, *flags, processes=processes, script="cnn_imp.py")
            assert (done.returncode, done.stderr) == (0, "")
    folders = sorted((tmp_path / "two").iterdir())
    assert [folder.name for folder in folders] == sorted(folder.name for folder in (tmp_path / "none").iterdir())
    for folder, finished in zip(folders, ([0, 1], [1]), strict=True):
        made = Run(folder)
        assert {seed: made.rounds(seed) for seed in made.seeds()} == {0: finished, 1: finished}
        assert contents(made) == contents(Run(tmp_path / "none" / folder.name))
        assert any("moving" in path for path in made.round(1, 1).weights)


def test_a_target_density_and_more_rounds_extend_a_run(inline, tmp_path):
    line = TINY[:-2]
    assert inline(tmp_path, *line, "--rounds", 1).returncode == 0
    first = arrays_of(run := only_run(tmp_path / "models"), 0, 1)
    assert inline(tmp_path, *line, "--target-density", 0.55).returncode == 0
    densities = [run.round(0, round).attributes["density"] for round in run.rounds(0)]
    assert densities[-1] <= 0.55 < densities[-2]
    assert arrays_of(run, 0, 1) == first
