"""What determines the numbers of a run: frozen dataclasses ⇄ JSON ⇄ run key.

One field is one flag (cli.py makes it), one entry of the metadata in every file, and one part of the run key. A field
that does not change the numbers of a round (how many rounds, say) is marked ``key=False`` and stays out of the key.
The key leaves out defaults: a new field's default must therefore be the old behaviour. What each kind of experiment
adds to these fields stands in kinds.py.
"""

import hashlib
import json
import re
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import PurePath
from typing import Any, ClassVar, Self, get_args, get_origin

import numpy as np

from ticketlab.errors import BadInput
from ticketlab.schedules import SCHEDULES, ScheduleSettings, learning_rates

OPTIMIZERS = ("adam", "sgd")
ACTIVATIONS = ("relu", "tanh", "sigmoid", "gelu")
INITIALISERS = ("glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "lecun_normal", "lecun_uniform")
INPUTS = ("unit", "standardised")
TASKS = ("classification", "regression")
INPUT_KINDS = ("image", "table")
ENGINES = ("auto", "dense", "sparse")


def option(
    default: Any, group: str, help: str, *, choices=None, valid=None, key=True, excludes=None, before=MISSING
) -> Any:
    """Declare a field of a spec.

    Args:
        default: value when the flag is left out.
        group: heading of the flag in ``--help``.
        help: one line for ``--help``.
        choices: the allowed names, for a field that holds a name.
        valid: (predicate, words) that a given value must satisfy, as in "must be `words`".
        key: whether the field belongs to the run key.
        excludes: a field that cannot be given together with this one.
        before: what runs did when there was no such field, if not the default: left out of the key like a default.
    """
    notes = {"group": group, "help": help, "choices": choices, "valid": valid, "key": key, "excludes": excludes}
    notes["before"] = default if before is MISSING else before
    return field(default=default, metadata=notes)


POSITIVE = (lambda value: value > 0, "greater than 0")
NOT_NEGATIVE = (lambda value: value >= 0, "0 or greater")
OPEN_UNIT = (lambda value: 0 < value < 1, "in (0, 1)")
HALF_OPEN_UNIT = (lambda value: 0 <= value < 1, "in [0, 1)")
UNIT = (lambda value: 0 < value <= 1, "in (0, 1]")
INCREASING = (lambda value: list(value) == sorted({*value} - {0}), "greater than 0 and increasing")
NAME = (lambda value: re.fullmatch(r"\w[\w.-]{0,99}", value), "a name of letters, digits, `_`, `.` and `-`")
NETWORK = (
    lambda value: NAME[0](value) or re.fullmatch(r".*\.py:[^\W\d]\w*", value),
    "a network's name or path/to/file.py:function",
)


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What every kind of experiment shares: data, network, one training, the numerics."""

    kind: ClassVar[str]

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
    iterations: int = option(8000, "training", "optimizer steps of one training", valid=POSITIVE)
    batch_size: int = option(60, "training", "samples of one optimizer step", valid=POSITIVE)
    optimizer: str = option("adam", "training", "optimizer", choices=OPTIMIZERS)
    learning_rate: float = option(1.2e-3, "training", "learning rate", valid=POSITIVE)
    schedule: str = option("constant", "training", "how the learning rate changes", choices=tuple(SCHEDULES))
    schedule_steps: tuple[int, ...] = option(
        (), "training", "iterations at which the schedule `step` multiplies the rate", valid=INCREASING
    )
    schedule_factor: float = option(0.1, "training", "by which it multiplies the rate", valid=POSITIVE)
    warmup: int = option(0, "training", "iterations in which the rate climbs linearly from 0", valid=NOT_NEGATIVE)
    momentum: float = option(0.0, "training", "momentum of SGD", valid=HALF_OPEN_UNIT)
    nesterov: bool = option(False, "training", "Nesterov momentum of SGD")
    weight_decay: float = option(
        0.0, "training", "L2 penalty: so many times a kernel's weight is added to its gradient", valid=NOT_NEGATIVE
    )
    l1_penalty: float = option(0.0, "training", "L1 penalty: the same with the weight's sign", valid=NOT_NEGATIVE)
    eval_every: int = option(
        100, "training", "iterations between two evaluations on the validation set", valid=POSITIVE
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
        for each in fields(self):
            object.__setattr__(self, each.name, _checked(each, getattr(self, each.name)))
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

    def key(self) -> str:
        """Return ten hexadecimal digits that name this run among all others of its kind."""
        before = {each.name: each.metadata["before"] for each in fields(self)}
        chosen = {name: value for name, value in self.described().items() if value != before[name]}
        text = json.dumps({"kind": self.kind, **chosen}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:10]

    def folder_name(self) -> str:
        """Return the name of the run's folder, ``<kind>-<dataset>-<network>-<key>``."""
        network = re.sub(r"[^\w.-]", "_", PurePath(self.network).name.replace(".py:", "."))
        return f"{self.kind}-{self.dataset}-{network}-{self.key()}"

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


def value_type(annotation: Any) -> type:
    """Return the plain type behind an annotation: int for ``int | None``, tuple for ``tuple[int, ...]``."""
    if get_origin(annotation) is tuple:
        return tuple
    return next((kind for kind in get_args(annotation) if kind is not type(None)), annotation)


def _checked(each: Any, value: Any) -> Any:
    """Return the value in its field's type. Raises BadInput if it does not fit."""
    if value is None and each.default is None:
        return None
    kind = value_type(each.type)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if kind is tuple and isinstance(value, list):  # as JSON stores it
        value = tuple(value)
    if type(value) is not kind:
        raise refused(each.name, f"of type {kind.__name__}", value)
    if kind is tuple and any(type(number) is not int for number in value):
        raise refused(each.name, "whole numbers", value)
    if kind is float and value - value != 0:
        raise refused(each.name, "a finite number", value)
    choices, valid = each.metadata["choices"], each.metadata["valid"]
    if choices and value not in choices:
        raise refused(each.name, f"one of {', '.join(choices)}", value)
    if valid and not valid[0](value):
        raise refused(each.name, valid[1], value)
    return value


def refused(name: str, expected: str, received: Any) -> BadInput:
    """Make the error that a field must be something else, in Keras's form."""
    return BadInput(f"`{name}` must be {expected}. Received: {name}={received}")
