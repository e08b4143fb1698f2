"""What determines the numbers of a run: frozen dataclasses ⇄ JSON ⇄ run key.

One field is one flag (train.py makes it), one entry of the metadata in every file, and one part of the run key. A field
that does not change the numbers of a round (how many rounds, say) is marked ``key=False`` and stays out of the key,
one that changes none beside the others is there at its default. The key leaves out defaults: a new field's default must
therefore be the old behaviour. What each kind of experiment adds to these fields stands in kinds.py.
"""

import hashlib
import json
import re
from dataclasses import asdict, dataclass, fields
from pathlib import PurePath
from typing import Any, ClassVar, Self

import numpy as np

from ticketlab.errors import BadInput
from ticketlab.runs.defaults import DATASET_DEFAULTS, fitting, is_mlp
from ticketlab.runs.fields import (
    HALF_OPEN_UNIT,
    INCREASING,
    LEFT_OUT,
    NAME,
    NETWORK,
    NOT_NEGATIVE,
    POSITIVE,
    UNIT,
    checked,
    option,
    refused,
)
from ticketlab.runs.kinds import Kind
from ticketlab.schedules import SCHEDULES, ScheduleSettings, learning_rates

OPTIMIZERS = ("adam", "sgd")
ACTIVATIONS = ("relu", "tanh", "sigmoid", "gelu")
INITIALISERS = ("glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "lecun_normal", "lecun_uniform")
INPUTS = ("unit", "standardised")
TASKS = ("classification", "regression")
INPUT_KINDS = ("image", "table")
ENGINES = ("auto", "dense", "sparse")


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What every kind of experiment shares: data, network, one training, the numerics.

    Fields that are left out have the defaults that are published for the network or fit the data set (presets.py).

    >>> from ticketlab.experiments.lottery.spec import ImpSpec
    >>> spec = ImpSpec(network="conv2", dataset="digits", batch_size=20)
    >>> spec.learning_rate, spec.iterations, spec.changed(network="lenet5").learning_rate
    (0.0002, 1000, 0.0012)
    """

    kind: ClassVar[Kind]
    branch: ClassVar[str | None] = None  # which control this is; most kinds have none

    dataset: str = option("mnist", "data and network", "name of the data set", valid=NAME)
    network: str = option(
        "lenet_300_100",
        "data and network",
        "lenet_300_100, lenet5, conv2, conv4, conv6, resnet20, fcn_<units>_<units>_… or path/to/file.py:function; "
        "rates and optimizer are as published for it where they are not given",
        valid=NETWORK,
    )
    task: str | None = option(
        None,
        "data and network",
        "what is learnt (default: classification where all targets are whole numbers, else regression)",
        choices=TASKS,
    )
    input_kind: str | None = option(
        None,
        "data and network",
        "what samples are (default: table where they have one axis, else image)",
        choices=INPUT_KINDS,
    )
    inputs: str = option(
        "unit",
        "data and network",
        "what networks see: unit, images of uint8 in [0, 1], else as they are stored; standardised, less their "
        "mean and divided by their deviation, over all inputs of the training samples together",
        choices=INPUTS,
    )
    activation: str = option("relu", "data and network", "of the hidden layers", choices=ACTIVATIONS)
    initialiser: str = option("glorot_normal", "data and network", "of the kernels", choices=INITIALISERS)
    iterations: int = option(8000, "training", "optimizer steps of one training", valid=POSITIVE, fitted=True)
    batch_size: int = option(60, "training", "samples of one optimizer step", valid=POSITIVE, fitted=True)
    optimizer: str = option("adam", "training", "optimizer", choices=OPTIMIZERS, fitted=True)
    learning_rate: float = option(1.2e-3, "training", "learning rate", valid=POSITIVE, fitted=True)
    schedule: str = option("constant", "training", "how the learning rate changes", choices=SCHEDULES)
    schedule_steps: tuple[int, ...] = option(
        (), "training", "iterations at which the schedule `step` multiplies the rate", valid=INCREASING
    )
    schedule_factor: float = option(0.1, "training", "by which it multiplies the rate", valid=POSITIVE)
    warmup: int = option(0, "training", "iterations in which the rate climbs linearly from 0", valid=NOT_NEGATIVE)
    momentum: float = option(0.0, "training", "momentum of SGD", valid=HALF_OPEN_UNIT, fitted=True)
    nesterov: bool = option(False, "training", "Nesterov momentum of SGD")
    weight_decay: float = option(
        0.0, "training", "L2 penalty: so many times a kernel's weight is added to its gradient", valid=NOT_NEGATIVE
    )
    l1_penalty: float = option(0.0, "training", "L1 penalty: the same with the weight's sign", valid=NOT_NEGATIVE)
    eval_every: int = option(
        100, "training", "iterations between two evaluations on the validation set", valid=POSITIVE, fitted=True
    )
    patience: int | None = option(
        None, "training", "end a training after so many evaluations without a lower validation loss", valid=POSITIVE
    )
    engine: str = option(
        "auto",
        "training",
        "what trains a round: dense, by the whole matrices; sparse, for networks of dense layers alone, by the kept "
        "weights, with the same results up to rounding; auto, sparse where it is the faster one",
        choices=ENGINES,
        before="dense",
    )
    break_even_density: float = option(
        0.8, "training", "density below which the engine auto is sparse; as measured for LeNet-300-100", valid=UNIT
    )
    threads: int = option(
        1,
        "training",
        "threads of one worker; more of them round differently, hence a run of its own; the sparse engine uses one",
        valid=POSITIVE,
    )

    def __post_init__(self) -> None:
        given = {each.name: getattr(self, each.name) for each in fields(self)}
        given = {each.name: given[each.name] for each in fields(self) if given[each.name] is not each.default}
        object.__setattr__(self, "_given", given)  # no field: what `changed` begins from
        for each in fields(self):
            if each.name in given:
                object.__setattr__(self, each.name, checked(each, given[each.name]))
        fitted = self._fitted()
        for each in fields(self):
            if getattr(self, each.name) is LEFT_OUT:
                object.__setattr__(self, each.name, fitted.get(each.name, each.metadata["default"]))
        if self.optimizer == "adam" and (self.momentum or self.nesterov):
            name = "momentum" if self.momentum else "nesterov"
            raise refused(name, "left out with the optimizer adam", getattr(self, name))
        if self.nesterov and not self.momentum:
            raise refused("momentum", "greater than 0 with `nesterov`", self.momentum)
        if bool(self.schedule_steps) != (self.schedule == "step"):
            expected = "given with" if self.schedule == "step" else "left out without"
            raise refused("schedule_steps", f"{expected} the schedule step", self.schedule_steps)
        if self.schedule != "step" and self.schedule_factor != 0.1:
            raise refused("schedule_factor", "left out without the schedule step", self.schedule_factor)
        if max(self.schedule_steps, default=0) >= self.iterations:
            raise refused("schedule_steps", f"less than `iterations`={self.iterations}", self.schedule_steps)
        if self.engine != "auto" and self.break_even_density != type(self).break_even_density:
            raise refused("break_even_density", "left out without the engine auto", self.break_even_density)
        if self.warmup > self.iterations:
            raise refused("warmup", f"at most `iterations`={self.iterations}", self.warmup)

    @property
    def last_round(self) -> int | None:
        """The last of the rounds that are asked for by their number; None where rounds are chosen otherwise."""
        return None

    @property
    def averages(self) -> bool:
        """Whether the engine is to keep running averages of all gradients, which the dense one alone can."""
        return False

    def _fitted(self) -> dict[str, Any]:
        """Return what fields are that are left out, where it is not their default."""
        return {**DATASET_DEFAULTS.get(self.dataset, {}), **fitting(self.network, self._given)}

    def changed(self, **values: Any) -> Self:
        """Return a spec with other values of some fields, in which what was left out is decided anew.

        This is what `dataclasses.replace` cannot: there, all fields are given.
        """
        return type(self)(**{**self._given, **values})

    def idle(self) -> set[str]:
        """Name the fields that change no number beside the others."""
        names = set()
        if is_mlp(self.network) is False or self.averages:
            names |= {"engine", "break_even_density"}  # it is dense anyway
        if is_mlp(self.network) and self.engine == "sparse":
            names |= {"threads"}
        return names

    def trunk(self) -> Self:
        """Return the spec of the run that this one's belongs to: of a branch another one."""
        return self

    def learning_rates(self, start: int, stop: int) -> np.ndarray:
        """Return the learning rates of the iterations from `start` to `stop`, (stop − start,) float32."""
        settings = ScheduleSettings(self.iterations, self.warmup, self.schedule_steps, self.schedule_factor)
        return learning_rates(self.schedule, self.learning_rate, settings, start, stop)

    def described(self) -> dict[str, Any]:
        """Return the fields that determine the numbers, defaults included: the metadata of every file.

        Of a network of one's own, the file's name stands there without its folder.
        """
        values = {each.name: getattr(self, each.name) for each in fields(self) if each.metadata["key"]}
        return values | {"network": PurePath(self.network).name}

    def normal(self) -> dict[str, Any]:
        """Return `described` with idle fields at their defaults: the same for all specs that compute the same."""
        defaults = {each.name: each.metadata["default"] for each in fields(self)}
        return {name: defaults[name] if name in self.idle() else value for name, value in self.described().items()}

    def corrected(self) -> dict[str, Any]:
        """Return a part of the key for specs whose numbers earlier versions had wrong, {} for others."""
        return {}

    def key(self) -> str:
        """Return ten hexadecimal digits that name this run among all others of its kind."""
        return self._hashed(self.normal() | self.corrected())

    def folder_name(self) -> str:
        """Return the name of the run's folder, ``<kind>-<dataset>-<network>-<key>``."""
        return self._named(self.key())

    def folder_names(self) -> list[str]:
        """List the names that the run's folder may have: its own, and that of versions whose keys held idle fields."""
        earlier = [] if self.corrected() else [self._named(self._hashed(self.described()))]
        return list(dict.fromkeys([self.folder_name(), *earlier]))

    def _hashed(self, values: dict[str, Any]) -> str:
        before = {each.name: each.metadata["before"] for each in fields(self)}
        chosen = {name: value for name, value in values.items() if name not in before or value != before[name]}
        text = json.dumps({"kind": self.kind.name, **chosen}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:10]

    def _named(self, key: str) -> str:
        network = re.sub(r"[^\w.-]", "_", PurePath(self.network).name.replace(".py:", "."))
        return f"{self.kind.name}-{self.dataset}-{network}-{key}"

    def to_json(self) -> str:
        """Write all fields as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a spec back, one of an earlier version as what it was. Raises BadInput on unknown fields, bad values."""
        values = {each.name: each.metadata["before"] for each in fields(cls)} | json.loads(text)
        unknown = sorted(set(values) - {each.name for each in fields(cls)})
        if unknown:
            raise BadInput(f"`spec` must have the fields of {cls.__name__}. Received: {', '.join(unknown)}")
        return cls(**values)
