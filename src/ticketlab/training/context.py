"""A run's data, network and engines in one process, for every kind of experiment.

This module knows where data and network come from, that a run keeps its network, and which engine trains which round.
`prepare_context` imports TensorFlow, and the sparse engine numba.
"""

import json
import textwrap
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

from ticketlab.data import sources
from ticketlab.data.dataset import Dataset, split, standardised
from ticketlab.errors import BadInput
from ticketlab.networks import architectures, user_model, variables
from ticketlab.networks.mlp import dense_layers
from ticketlab.networks.user_model import located
from ticketlab.runs.folder import Run
from ticketlab.runs.lock import held
from ticketlab.runs.overwriting import NOTHING, Overwritten
from ticketlab.runs.spec import Spec
from ticketlab.sparsity.distributions import Shapes
from ticketlab.sparsity.masks import Arrays, density
from ticketlab.training.engine import Engine, EngineSettings

if TYPE_CHECKING:
    import keras

Build = Callable[[tuple[int, ...], int], "keras.Model"]


@dataclass(frozen=True)
class Source:
    """The origin of data and network.

    Attributes:
        data_dir: folder that is searched for the data set first.
        dataset: data set given from Python, in place of the one that the spec names.
        build: function ``(input_shape, outputs) -> keras.Model`` given from Python, in place of the network that the
            spec names.
    """

    data_dir: Path | None = None
    dataset: Dataset | None = None
    build: Build | None = None

    def read(self, spec: Spec) -> "Source":
        """Return this source with the data set in memory, so that no other process reads it again. Raises BadInput."""
        return replace(self, dataset=self._stored(spec))

    def data(self, spec: Spec) -> Dataset:
        """Return the data set, from memory or from its file, as networks see it. Raises BadInput."""
        dataset = self._stored(spec)
        return standardised(dataset) if spec.inputs == "standardised" else dataset

    def _stored(self, spec: Spec) -> Dataset:
        said = {"task": spec.task, "input_kind": spec.input_kind}
        return self.dataset or sources.load(spec.dataset, self.data_dir, **said)

    def mlp_shapes(self, spec: Spec, dataset: Dataset) -> Shapes | None:
        """Return the kernels' shapes by path where they are known without building the network."""
        return None if self.build else architectures.mlp_shapes(spec.network, dataset.input_shape, dataset.outputs)


def check_context(spec: Spec, dataset: Dataset, source: Source) -> None:
    """Refuse a spec that data or network do not allow, as far as can be told without TensorFlow. Raises BadInput."""
    if spec.batch_size > dataset.samples:
        most = f"at most the {dataset.samples} training samples"
        raise BadInput(f"`batch_size` must be {most}. Received: {spec.batch_size}")
    if source.build is None:
        architectures.check(spec.network, dataset.input_shape, spec.activation, spec.initialiser)
        if spec.engine == "sparse" and not located(spec.network) and architectures.known(spec.network).widths is None:
            refuse_sparse(spec.network)
    else:
        architectures.check_own(spec.activation, spec.initialiser)


@dataclass(frozen=True)
class EngineKind:
    """A kind of engine, and when it is used.

    Attributes:
        fits: function that tells whether the engine can train a network with these settings.
        pays: function that tells whether a spec expects the engine to be the fastest at a density.
        make: function that makes an engine.
        checked: whether the engine's method `outputs` is first compared with the network's own outputs.
    """

    fits: Callable[["keras.Model", EngineSettings], bool]
    pays: Callable[[Spec, float], bool]
    make: Callable[["keras.Model", Dataset, EngineSettings], Engine]
    checked: bool = False


def _sparse_engine(model: "keras.Model", dataset: Dataset, settings: EngineSettings) -> Engine:
    from ticketlab.training.sparse_engine.engine import SparseEngine

    return SparseEngine(dense_layers(model) or (), dataset, settings)


def _dense_engine(model: "keras.Model", dataset: Dataset, settings: EngineSettings) -> Engine:
    from ticketlab.training.dense_engine import DenseEngine

    return DenseEngine(model, dataset, settings)


# by the names in `spec.ENGINES`; "auto" takes the first that fits and pays
ENGINES = {
    "sparse": EngineKind(
        fits=lambda model, settings: bool(dense_layers(model)) and not settings.averages,
        pays=lambda spec, density: density < spec.break_even_density,
        make=_sparse_engine,
        checked=True,
    ),
    "dense": EngineKind(fits=lambda model, settings: True, pays=lambda spec, density: True, make=_dense_engine),
}


class Context:
    """Network, data and engines of a run in one process; an engine is made when the first round asks for it.

    Attributes:
        spec: the experiment.
        model: the network.
        dataset: the data set.
        paths: paths of the prunable kernels.
        shapes: shapes of the prunable kernels by path.
        train_indices: indices of the training samples.
        costs: costs of the prunable layers by path.
        outputs: paths of the output layers' kernels.
        chained: whether each prunable layer is fed by exactly the one before.
        engines: engines made so far, by name.

    Raises:
        BadInput: if the spec asks for an engine that does not fit the network, or whose outputs differ.
    """

    def __init__(self, spec: Spec, model: "keras.Model", dataset: Dataset) -> None:
        self.spec, self.model, self.dataset = spec.resolved, model, dataset
        carried, self.paths = variables.carried(model), variables.prunable(model)
        self.shapes = {path: tuple(carried[path].shape) for path in self.paths}
        self.train_indices, _ = split(len(dataset.x_train))
        self.costs = variables.costs(model, dataset.input_shape)
        self.outputs, self.chained = variables.output_kernels(model), variables.chained(model)
        self._settings = EngineSettings.of(spec)
        self._fitting = [name for name, kind in ENGINES.items() if kind.fits(model, self._settings)]
        self.engines: dict[str, Engine] = {}
        self._agreed: dict[str, bool] = {}
        if spec.engine != "auto" and spec.engine not in self._fitting:
            refuse_sparse(spec.network)
        if spec.engine != "auto" and not self._agrees(spec.engine):
            raise BadInput(f"`engine` must be auto or dense: {self._disagreement()}. Received: engine={spec.engine}")

    def choose(self, masks: Arrays) -> str:
        """Name the engine that trains under these masks; it follows from spec, network and density alone."""
        return next(name for name in self._in_question(masks) if self._agrees(name))

    def notice(self, masks: Arrays) -> str | None:
        """Return a note for the user if the engine that should train under these masks disagrees, else None."""
        if self._agrees(self._in_question(masks)[0]):
            return None
        return f"the {self.choose(masks)} engine trains every round: {self._disagreement()}"

    def engine(self, masks: Arrays) -> Engine:
        """Return the engine that trains under these masks."""
        return self.named(self.choose(masks))

    def named(self, name: str) -> Engine:
        """Return the engine of a name, a key of `ENGINES`; it is made once."""
        if name not in self.engines:
            self.engines[name] = ENGINES[name].make(self.model, self.dataset, self._settings)
        return self.engines[name]

    def _in_question(self, masks: Arrays) -> list[str]:
        if self.spec.engine != "auto":
            return [self.spec.engine]
        share = density(masks)
        return [name for name in self._fitting if ENGINES[name].pays(self.spec, share)]

    def _agrees(self, name: str) -> bool:
        """Tell whether an engine gives the network's outputs; tried once per process, always with the same result."""
        from ticketlab.networks import probe

        if name not in self._agreed:
            unchecked = not ENGINES[name].checked
            self._agreed[name] = unchecked or probe.agrees(
                cast(probe.Computes, self.named(name)), self.model, self.dataset
            )
        return self._agreed[name]

    def _disagreement(self) -> str:
        return f"{self.spec.network} gives other outputs than its dense layers alone would"


def described(model: "keras.Model", dataset: Dataset) -> dict[str, Any]:
    """Describe a network as network.json keeps it. Raises BadInput where Keras cannot."""
    import keras

    from ticketlab.networks import probe

    try:
        text = model.to_json()
    except Exception as error:  # a user-defined class may raise anything
        reason = textwrap.shorten(f"{type(error).__name__}: {error}", 300)
        raise BadInput(f"`network` must be one that Keras can describe as JSON. Received: {reason}") from error
    return {"keras": keras.__version__, "model": json.loads(text), **probe.fingerprint(model, dataset)}


def prepare_context(
    spec: Spec,
    run: Run,
    source: Source,
    trunk: Run | None = None,
    *,
    overwritten: Overwritten = NOTHING,
    agree: Callable[[Shapes, Collection[str]], Any] = lambda shapes, outputs: None,
) -> Context:
    """Load data and build the network; then, when nothing can refuse any more, delete what is to be computed again.

    Args:
        spec: the experiment.
        run: the run, which keeps the network that it began with.
        source: origin of data and network.
        trunk: the run of which `run` is a branch; it must have the same network.
        overwritten: rounds to compute again; where these are all, the run may begin anew on other data or with another
            network.
        agree: function of the kernels' shapes and the output layers' paths that raises BadInput where the experiment
            refuses them.

    Raises:
        BadInput: if data or network are not those that the run began with, or if the network does not fit.
        TicketlabError: if another process is computing the rounds to overwrite.
    """
    dataset, anew = source.data(spec), overwritten.everything(run)
    if not anew:
        run.check(spec, dataset.digest)
    regression = dataset.task == "regression"
    if source.build:
        model = user_model.finished(source.build, dataset.input_shape, dataset.outputs, regression=regression)
    else:
        model = architectures.build(
            spec.network, dataset.input_shape, dataset.outputs, spec.activation, spec.initialiser, regression=regression
        )
    context = Context(spec, model, dataset)
    network = described(model, dataset)
    agree(context.shapes, context.outputs)
    kept = [trunk] if trunk and trunk.network else []  # a run of an earlier version says none
    kept = kept if anew else [*kept, run]
    for each in kept:
        each.check_network(network)
    for each in kept:
        each.keep_network(network)
    overwritten.delete(run)
    if anew:
        _begin_anew(run, spec, dataset, network)
    return context


def _begin_anew(run: Run, spec: Spec, dataset: Dataset, network: dict[str, Any]) -> None:
    """Give a run without rounds this data and network, unless it has them or another worker has been faster."""
    with held(run.folder, f"{run.folder} is being begun by another process"):
        try:
            run.check(spec, dataset.digest)
            run.check_network(network)
        except BadInput:
            run.begin(spec, dataset.digest, anew=True)
        run.keep_data(dataset)
        run.keep_network(network)


def refuse_sparse(network: str) -> NoReturn:
    """Raise BadInput: the sparse engine cannot train this network."""
    raise BadInput(f"`engine` must be auto or dense: {network} is not a chain of dense layers. Received: engine=sparse")
