"""What several tests share: TensorFlow set up, small data, commands as a person types them, runs bit by bit."""

import contextlib
import io
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import numpy as np
import pytest

from ticketlab import tensorflow_setup
from ticketlab.data import sources
from ticketlab.experiments.lottery.spec import ImpSpec
from ticketlab.networks import architectures
from ticketlab.runs.folder import Run
from ticketlab.training import loop
from ticketlab.training.engine import EngineSettings

SCRIPTS = Path(__file__).parent.parent / "experiment_scripts"
TINY = ("--dataset", "digits", "--iterations", "40", "--eval-every", "20", "--rounds", "2")
hypothesis.settings.register_profile("laws", max_examples=60, derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("laws")  # the same examples everywhere
PASSING = ("seconds", "finished")  # attributes that differ from one computation to the next


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let files with slow tests come first."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def tensorflow():
    """TensorFlow as a worker sets it up."""
    tensorflow_setup.start(1)
    import tensorflow

    return tensorflow


@pytest.fixture(scope="session")
def digits():
    return sources.load("digits")


@pytest.fixture(scope="session")
def engine(tensorflow, digits):
    """An engine of LeNet-300-100 on digits; whoever uses it loads its own weights."""
    from ticketlab.training.dense_engine import DenseEngine

    model = architectures.build("lenet_300_100", digits.input_shape, digits.outputs)
    return DenseEngine(model, digits, EngineSettings())


@pytest.fixture
def context_of(engine, digits) -> Callable:
    """Make the context of a spec with the same network and data; its dense engine is that one."""
    from ticketlab.training.context import Context

    def made(spec):
        context = Context(spec, engine.model, digits)
        context.engines["dense"] = engine
        return context

    return made


@pytest.fixture
def context(context_of):
    """The context of a spec with all defaults."""
    return context_of(ImpSpec(dataset="digits", eval_every=20))


@pytest.fixture(scope="session")
def mnist_dir():
    """The folder of mnist.npz, where there is one."""
    folders = [*sources.folders(None), SCRIPTS.parent.parent / "shared" / "data"]
    found = next((folder for folder in folders if (folder / "mnist.npz").exists()), None)
    if found is None:
        pytest.skip("needs mnist.npz in $TICKETLAB_DATA or the Keras cache")
    return found


@pytest.fixture
def table_file(tmp_path):
    """Write a small tabular data set; arrays given by name replace its own, None leaves one out."""

    def write(name: str = "mine", **changed) -> Path:
        rng = np.random.default_rng(0)
        arrays = {"x_train": rng.random((120, 5)), "y_train": np.arange(120) % 3}
        arrays |= {"x_test": rng.random((30, 5)), "y_test": np.arange(30) % 3}
        arrays = {key: value for key, value in {**arrays, **changed}.items() if value is not None}
        np.savez(tmp_path / f"{name}.npz", **arrays)
        return tmp_path

    return write


def environment(home: Path) -> dict[str, str]:
    """Return an environment without data sets and without a way to the network."""
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    kept = {name: value for name, value in os.environ.items() if name not in ("TICKETLAB_DATA", "KERAS_HOME")}
    return {**kept, **proxies, "HOME": str(home)}


@pytest.fixture
def command(tmp_path):
    """Run a script in an empty folder as a person would, and return the finished process."""

    def run(*flags, script="lenet_300_100_imp.py", **settings) -> subprocess.CompletedProcess:
        line = [sys.executable, str(SCRIPTS / script), *map(str, flags)]
        settings = {"env": environment(tmp_path), "cwd": tmp_path, "timeout": 300, **settings}
        return subprocess.run(line, capture_output=True, text=True, **settings)

    return run


@pytest.fixture
def started(tmp_path):
    """Start a script and return the running process; killed at the end of the test."""
    processes = []

    def start(*flags, script="lenet_300_100_imp.py") -> subprocess.Popen:
        line = [sys.executable, str(SCRIPTS / script), *map(str, flags)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        # where the tests run in a shell's background, Ctrl-C is ignored, and what they start would inherit that
        pipes["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
        processes.append(subprocess.Popen(line, env=environment(tmp_path), cwd=tmp_path, **pipes))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@dataclass(frozen=True)
class Done:
    """What a command left: its exit status, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture(scope="session")
def inline(tensorflow) -> Callable[..., Done]:
    """Run a script in this process, in a folder and with no workers unless told otherwise.

    An engine is compiled once for all commands that need the same one, as a worker keeps it from seed to seed.
    """
    from ticketlab.training import dense_engine

    real, compiled = dense_engine.DenseEngine, {}

    def kept(model, dataset, settings):
        key = (model.to_json(), dataset.digest, dataset.offset, settings)
        return compiled.get(key) or compiled.setdefault(key, real(model, dataset, settings))

    def run(folder, *flags, script="fcn_imp.py", processes=0) -> Done:
        out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
        line = [script, *map(str, flags), *(() if "--processes" in flags else ("--processes", str(processes)))]
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            patch.setattr(dense_engine, "DenseEngine", kept)
            patch.setattr(signal, "signal", lambda *_: None)
            patch.setattr(sys, "argv", line)
            patch.chdir(folder)
            with pytest.raises(SystemExit) as end:
                runpy.run_path(str(SCRIPTS / script), run_name="__main__")
        return Done(end.value.code, *(stream.buffer.getvalue().decode() for stream in (out, err)))

    run.engine = kept
    return run


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    """A folder with a few images: ``small`` ones of 8×8 pixels, and ``wide`` ones of 12×12, the least for LeNet-5."""
    folder, digits = tmp_path_factory.mktemp("images"), sources.load("digits")
    parts = {"x_train": digits.x_train[:240] * 15, "x_test": digits.x_test[:60] * 15}
    labels = {"y_train": digits.y_train[:240], "y_test": digits.y_test[:60]}
    np.savez(folder / "small.npz", **parts, **labels)
    wide = {name: np.pad(x, ((0, 0), (2, 2), (2, 2))) for name, x in parts.items()}
    np.savez(folder / "wide.npz", **wide, **labels)
    return folder


@pytest.fixture
def uncut(monkeypatch) -> None:
    """Do every stretch in one call, however long it takes."""
    monkeypatch.setattr(loop, "piece_length", lambda seconds: 10**9)


@pytest.fixture
def calls(tensorflow, monkeypatch, uncut) -> list[tuple]:
    """Record what engines are told: ("load", weights, masks, optimizer) and ("train", order, rates, sum of losses)."""
    from ticketlab.training.dense_engine import DenseEngine
    from ticketlab.training.sparse_engine.engine import SparseEngine

    told = []

    def spy(engine):
        load, train = engine.load, engine.train

        def spied_load(self, weights, masks, optimizer=None):
            told.append(("load", dict(weights), dict(masks), optimizer))
            load(self, weights, masks, optimizer)

        def spied_train(self, order, rates, total=0.0):
            total = train(self, order, rates, total)
            told.extend([("train", order, rates, total)] if len(order) else [])
            return total

        monkeypatch.setattr(engine, "load", spied_load)
        monkeypatch.setattr(engine, "train", spied_train)

    spy(DenseEngine)
    spy(SparseEngine)
    return told


@dataclass
class Training:
    """One training as an engine saw it."""

    weights: dict[str, np.ndarray]
    masks: dict[str, np.ndarray]
    optimizer: dict[str, np.ndarray] | None
    order: np.ndarray
    rates: np.ndarray
    losses: list[float]


def trainings(calls: list[tuple]) -> list[Training]:
    """Sort the calls by the load that each stretch of iterations came after."""
    found, loaded = [], None
    for name, *facts in calls:
        if name == "load":
            loaded = facts
        elif loaded is not None:
            found.append(Training(*loaded, *facts[:2], facts[2:]))
            loaded = None
        else:
            last, (order, rates, total) = found[-1], facts
            last.order, last.rates = np.concatenate([last.order, order]), np.concatenate([last.rates, rates])
            last.losses.append(total)
    return found


def arrays_of(run: Run, seed: int, round: int) -> dict:
    """Return what training did in one round, bit by bit: masks, weights and history."""
    wanted = ("masks", "weights", "history")
    return {
        key[2:]: value
        for key, value in contents(run).items()
        if key[:2] == (seed, round) and key[2:3] in [(group,) for group in wanted]
    }


def same(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> bool:
    """Tell whether two dicts hold the same arrays, bit by bit."""
    return list(first) == list(second) and all(first[path].tobytes() == second[path].tobytes() for path in first)


def only_run(models_dir: Path) -> Run:
    """Open the one run in a folder of runs."""
    (folder,) = models_dir.iterdir()
    return Run(folder)


def contents(run: Run) -> dict:
    """Return all that a run says, {(seed, round, group, path): bytes}, but for times of day and durations."""
    found = {}
    for seed in run.seeds():
        for round in run.rounds(seed):
            record = run.round(seed, round)
            attributes = {name: value for name, value in record.attributes.items() if name not in PASSING}
            found[seed, round] = attributes
            for group in ("masks", "weights", "rewind", "history"):
                for path, array in record.arrays(group).items():
                    found[seed, round, group, path] = (array.dtype.str, array.shape, array.tobytes())
    return found
