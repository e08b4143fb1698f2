"""What a process computes a run with: its data, network and engine. The same for every kind of experiment.

Knows where these come from, and that a run keeps to the network it began with. TensorFlow is imported by `engine`.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ticketlab import data, networks, own_network
from ticketlab.dataset import Dataset, split
from ticketlab.errors import BadInput
from ticketlab.spec import Spec
from ticketlab.storage import Run

if TYPE_CHECKING:
    import keras

    from ticketlab.engine import Engine

Build = Callable[[tuple[int, ...], int], "keras.Model"]


@dataclass(frozen=True)
class Source:
    """Where data and network come from.

    Attributes:
        data_dir: folder that is searched for the data set first.
        dataset: arrays given from Python, in place of those found by the spec's name of the data set.
        build: a function ``(input_shape, outputs) -> keras.Model`` given from Python, in place of the network found by
            the spec's name.
    """

    data_dir: Path | None = None
    dataset: Dataset | None = None
    build: Build | None = None

    def data(self, spec: Spec) -> Dataset:
        """Return the data set, from memory or from its file. Raises BadInput."""
        return self.dataset or data.load(spec.dataset, self.data_dir)


def check(spec: Spec, dataset: Dataset, source: Source) -> None:
    """Refuse what spec, data and network forbid together, as far as can be told without TensorFlow. Raises BadInput."""
    samples = split(len(dataset.x_train))[0].size
    if spec.batch_size > samples:
        raise BadInput(f"`batch_size` must be at most the {samples} training samples. Received: {spec.batch_size}")
    if source.build is None:
        networks.check(spec.network, dataset.input_shape, spec.activation, spec.initialiser)
    else:
        networks.check_own(spec.activation, spec.initialiser)


def engine(spec: Spec, run: Run, source: Source, trunk: Run | None = None) -> "Engine":
    """Load data, build the network, compile the engine.

    Args:
        spec: the experiment.
        run: keeps the network that it begins with.
        source: of data and network.
        trunk: the run that `run` is a branch of, which must be of the same network.

    Raises:
        BadInput: if data or network are not those that the run began with, or if the network does not fit.
    """
    import keras

    from ticketlab.engine import Engine

    dataset = source.data(spec)
    run.check(spec, dataset.digest)
    regression = dataset.task == "regression"
    if source.build:
        model = own_network.finished(source.build, dataset.input_shape, dataset.outputs, regression=regression)
    else:
        model = networks.build(
            spec.network, dataset.input_shape, dataset.outputs, spec.activation, spec.initialiser, regression=regression
        )
    network = {"keras": keras.__version__, "model": json.loads(model.to_json())}
    for each in (trunk, run) if trunk and trunk.network else (run,):  # a run of an earlier version says none
        each.keep_network(network)
    return Engine(model, dataset, spec)
