"""Specs, which determine the numbers of a run: frozen dataclasses ⇄ JSON ⇄ run key.

One field is one flag (cli/flags.py makes it), one entry of the metadata in every file, and one part of the run key. A
field that does not change the numbers of a round (the number of rounds, say) is marked ``key=False`` and stays out of
the key. A field that changes no number given the others enters at its default. The key leaves out defaults, so a new
field's default must be the old behaviour. Each kind of experiment adds its own fields, in its spec.py.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import PurePath
from typing import Any, ClassVar, Self

import numpy as np

from ticketlab.errors import BadInput
from ticketlab.runs.defaults import DATASET_DEFAULTS, NETWORK_DEFAULTS, is_mlp
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


@dataclass(frozen=True, kw_only=True, repr=False)
class Spec:
    """The fields that every kind of experiment shares: data, network, one training, the numerics.

    Fields hold the given values. Fields that are left out are decided by the others: published for the network, or
    fitted to the data set (defaults.py). `resolved` has all values, and every computation uses it.

    >>> from ticketlab.experiments.lottery.spec import ImpSpec
    >>> spec = ImpSpec(network="conv2", batch_size=20)
    >>> spec, spec.learning_rate
    (ImpSpec(network='conv2', batch_size=20), <left out>)
    >>> spec.resolved.learning_rate, replace(spec, network="lenet5").resolved.learning_rate
    (0.0002, 0.0012)
    """

    kind: ClassVar[Kind]
    branch: ClassVar[str | None] = None  # name of the control; most kinds have none

    dataset: str = option("mnist", "data and network", "name of the data set", valid=NAME)
    network: str = option(
        "lenet_300_100",
        "data and network",
        "lenet_300_100, lenet5, conv2, conv4, conv6, resnet20, fcn_<units>_<units>_… or "
        "path/to/file.py:function; where no rates and optimizer are given, those published for it "
        "hold",
        valid=NETWORK,
    )
    task: str | None = option(
        None,
        "data and network",
        "task to be learnt (default: classification where all targets are whole numbers, else "
        "regression; given explicitly, it makes another run)",
        choices=TASKS,
    )
    input_kind: str | None = option(
        None,
        "data and network",
        "kind of the inputs (default: table where samples have one axis, else image; given explicitly, it makes "
        "another run)",
        choices=INPUT_KINDS,
    )
    inputs: str = option(
        "unit",
        "data and network",
        "scaling of the inputs. unit: images of uint8 scaled to [0, 1], other inputs as they are stored; "
        "standardised: the training samples' mean subtracted, divided by their standard deviation",
        choices=INPUTS,
    )
    activation: str = option("relu", "data and network", "activation of the hidden layers", choices=ACTIVATIONS)
    initialiser: str = option("glorot_normal", "data and network", "initialiser of the kernels", choices=INITIALISERS)
    iterations: int = option(8000, "training", "optimizer steps of one training", valid=POSITIVE, fitted=True)
    batch_size: int = option(60, "training", "samples of one optimizer step", valid=POSITIVE, fitted=True)
    optimizer: str = option("adam", "training", "optimizer", choices=OPTIMIZERS, fitted=True)
    learning_rate: float = option(
        1.2e-3, "training", "learning rate", valid=POSITIVE, fitted=True, belongs_to="optimizer"
    )
    schedule: str = option("constant", "training", "how the learning rate changes", choices=SCHEDULES)
    schedule_steps: tuple[int, ...] = option(
        (),
        "training",
        "iterations at which the schedule `step` multiplies the rate",
        valid=INCREASING,
        belongs_to="schedule",
        only_with="step",
    )
    schedule_factor: float = option(
        0.1,
        "training",
        "factor of the schedule `step`",
        valid=POSITIVE,
        belongs_to="schedule",
        only_with="step",
    )
    warmup: int = option(0, "training", "iterations in which the rate climbs linearly from 0", valid=NOT_NEGATIVE)
    momentum: float = option(
        0.0, "training", "momentum of SGD", valid=HALF_OPEN_UNIT, fitted=True, belongs_to="optimizer", only_with="sgd"
    )
    nesterov: bool = option(False, "training", "Nesterov momentum of SGD", belongs_to="optimizer", only_with="sgd")
    weight_decay: float = option(
        0.0,
        "training",
        "L2 penalty: a kernel's weights, times this, are added to its gradient",
        valid=NOT_NEGATIVE,
    )
    l1_penalty: float = option(0.0, "training", "L1 penalty: the same with their signs", valid=NOT_NEGATIVE)
    eval_every: int = option(
        100, "training", "iterations between two evaluations on the validation set", valid=POSITIVE, fitted=True
    )
    patience: int | None = option(
        None, "training", "end a training after this many evaluations without a lower validation loss", valid=POSITIVE
    )
    engine: str = option(
        "auto",
        "training",
        "engine that trains a round. dense: whole matrices; sparse: kept weights alone, in networks of dense "
        "layers, with the same results up to rounding; auto: sparse below --break-even-density",
        choices=ENGINES,
        before="dense",
    )
    break_even_density: float = option(
        0.8,
        "training",
        "density below which --engine auto is sparse; measured for LeNet-300-100",
        valid=UNIT,
        belongs_to="engine",
        only_with="auto",
    )
    threads: int = option(
        1,
        "training",
        "threads of one worker; another number rounds differently and makes another run",
        valid=POSITIVE,
    )

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if value is not LEFT_OUT:
                object.__setattr__(self, each.name, checked(each, value))
        if self.resolved is self:
            self._check()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.given.items())})"

    @property
    def given(self) -> dict[str, Any]:
        """The given fields, except those at their defaults."""
        defaults = {each.name: each.default for each in fields(self)}
        return {name: value for name, value in self._values().items() if value != defaults[name]}

    @cached_property
    def resolved(self) -> Self:
        """The same spec with nothing left out; the spec itself if nothing is left out."""
        values = {name: value for name, value in self._decided().items() if value != getattr(self, name)}
        return replace(self, **values) if values else self

    def _decided(self) -> dict[str, Any]:
        """Decide the fields that are left out; given fields stay as they are."""
        fitting = self.compatible(NETWORK_DEFAULTS.get(self.network, {}), self.given)
        published = {**DATASET_DEFAULTS.get(self.dataset, {}), **fitting}
        left_out = [each for each in fields(self) if getattr(self, each.name) is LEFT_OUT]
        return {each.name: published.get(each.name, each.metadata["default"]) for each in left_out}

    def _check(self) -> None:
        """Refuse combinations of fields, none of which is left out. Raises BadInput."""
        values, defaults = self._values(), {each.name: each.metadata["default"] for each in fields(self)}
        for name, expected in self.clashes(values).items():
            if values[name] not in (None, defaults[name]):
                raise refused(name, expected, values[name])
        if self.nesterov and not self.momentum:
            raise refused("momentum", "greater than 0 with `nesterov`", self.momentum)
        if self.schedule == "step" and not self.schedule_steps:
            raise refused("schedule_steps", "given with the schedule step", self.schedule_steps)
        if max(self.schedule_steps, default=0) >= self.iterations:
            raise refused("schedule_steps", f"less than `iterations`={self.iterations}", self.schedule_steps)
        if self.warmup > self.iterations:
            raise refused("warmup", f"at most `iterations`={self.iterations}", self.warmup)

    @classmethod
    def clashes(cls, values: Mapping[str, Any]) -> dict[str, str]:
        """Return, for each field that has no meaning given the others, what it must be instead.

        >>> Spec.clashes({"engine": "dense"})["break_even_density"]
        'left out without the engine auto'
        """
        found = {}
        known = {each.name: each.metadata for each in fields(cls)}
        for name, notes in known.items():
            owner, value = notes["belongs_to"], notes["only_with"]
            if value is not None and values.get(owner, known[owner]["default"]) != value:
                others = [each for each in known[owner]["choices"] if each != value]
                found[name] = (
                    f"left out with the {owner} {others[0]}"
                    if len(others) == 1
                    else (f"left out without the {owner} {value}")
                )
        for name, other in cls.exclusive(values):
            found |= {name: f"left out with `{other}`", other: f"left out with `{name}`"}
        return found

    @classmethod
    def exclusive(cls, values: Mapping[str, Any]) -> list[tuple[str, str]]:
        """List the pairs of fields that are both given although they exclude each other."""
        there = [each for each in fields(cls) if values.get(each.name) not in (None, ())]
        pairs = [(each.name, other) for each in there for other in each.metadata["excludes"]]
        return [(name, other) for name, other in pairs if values.get(other) not in (None, ())]

    @classmethod
    def compatible(cls, settings: Mapping[str, Any], chosen: Mapping[str, Any]) -> dict[str, Any]:
        """Leave out those settings that the choices override or exclude.

        >>> Spec.compatible({"optimizer": "sgd", "momentum": 0.9, "batch_size": 128}, {"optimizer": "adam"})
        {'batch_size': 128}
        """
        foreign = {*chosen, *cls.clashes({**settings, **chosen})}
        defaults = {each.name: each.metadata["default"] for each in fields(cls)}
        for each in fields(cls):
            owner = each.metadata["belongs_to"]
            if owner in chosen and chosen[owner] != settings.get(owner, defaults[owner]):
                foreign.add(each.name)
        return {name: value for name, value in settings.items() if name not in foreign}

    def _values(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @property
    def last_round(self) -> int | None:
        """The last round, where rounds are given by their number; None where they are chosen otherwise."""
        return None

    @property
    def averages(self) -> bool:
        """Whether the engine keeps running averages of all gradients, which only the dense engine can."""
        return False

    def idle(self) -> set[str]:
        """Name the fields that change no number, given the others."""
        names = set()
        if is_mlp(self.network) is False or self.averages:
            names |= {"engine", "break_even_density"}  # the engine is dense anyway
        if is_mlp(self.network) and self.engine == "sparse":
            names |= {"threads"}
        return names

    def trunk(self) -> Self:
        """Return the spec of the run that a branch belongs to; for other runs, the spec itself."""
        return self

    def learning_rates(self, start: int, stop: int) -> np.ndarray:
        """Return the learning rates of the iterations from `start` to `stop`, (stop − start,) float32."""
        spec = self.resolved
        settings = ScheduleSettings(spec.iterations, spec.warmup, spec.schedule_steps, spec.schedule_factor)
        return learning_rates(spec.schedule, spec.learning_rate, settings, start, stop)

    def described(self) -> dict[str, Any]:
        """Return the fields that determine the numbers, with nothing left out: the metadata of every file.

        The file of your own network is named without its folder.
        """
        spec = self.resolved
        values = {each.name: getattr(spec, each.name) for each in fields(spec) if each.metadata["key"]}
        return values | {"network": PurePath(spec.network).name}

    def normal(self) -> dict[str, Any]:
        """Return `described` with idle fields at their defaults; specs that compute the same give the same."""
        defaults, idle = {each.name: each.metadata["default"] for each in fields(self)}, self.idle()
        return {name: defaults[name] if name in idle else value for name, value in self.described().items()}

    def corrected(self) -> dict[str, Any]:
        """Return a part of the key for specs whose numbers were wrong in earlier versions, {} for others."""
        return {}

    def key(self) -> str:
        """Return the ten hexadecimal digits that identify this run among those of its kind."""
        return self._hashed(self.normal() | self.corrected())

    def folder_name(self) -> str:
        """Return the name of the run's folder, ``<kind>-<dataset>-<network>-<key>``."""
        return self._named(self.key())

    def folder_names(self) -> list[str]:
        """List the names that the run's folder may have: its own, and those of versions whose keys held idle fields."""
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
        """Write all fields as JSON, with nothing left out."""
        return json.dumps(asdict(self.resolved))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a spec, with nothing left out; a spec of an earlier version keeps its behaviour.

        Raises:
            BadInput: if a field is unknown or a value is not allowed.
        """
        values = {each.name: each.metadata["before"] for each in fields(cls) if each.metadata["key"]} | json.loads(text)
        unknown = sorted(set(values) - {each.name for each in fields(cls)})
        if unknown:
            raise BadInput(f"`spec` must have the fields of {cls.__name__}. Received: {', '.join(unknown)}")
        return cls(**values).resolved
