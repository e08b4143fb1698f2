"""What determines the numbers of a run: frozen dataclasses ⇄ JSON ⇄ run key.

One field is one flag (cli.py makes it), one entry of the metadata in every file, and one part of the run key. A field
that does not change the numbers of a round (how many rounds, say) is marked ``key=False`` and stays out of the key.
The key leaves out defaults: a new field's default must therefore be the old behaviour.
"""

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar, Self, get_args

from ticketlab.errors import BadInput
from ticketlab.pruning import CRITERIA, SCOPES

OPTIMIZERS = ("adam", "sgd")
WEIGHTS_FROM = ("rewind", "fresh", "final", "signed_constant")


def option(default: Any, group: str, help: str, *, choices=None, valid=None, key=True, excludes=None) -> Any:
    """Declare a field of a spec.

    Args:
        default: value when the flag is left out.
        group: heading of the flag in ``--help``.
        help: one line for ``--help``.
        choices: the allowed names, for a field that holds a name.
        valid: (predicate, words) that a given value must satisfy, as in "must be `words`".
        key: whether the field belongs to the run key.
        excludes: a field that cannot be given together with this one.
    """
    notes = {"group": group, "help": help, "choices": choices, "valid": valid, "key": key, "excludes": excludes}
    return field(default=default, metadata=notes)


POSITIVE = (lambda value: value > 0, "greater than 0")
NOT_NEGATIVE = (lambda value: value >= 0, "0 or greater")
OPEN_UNIT = (lambda value: 0 < value < 1, "in (0, 1)")
HALF_OPEN_UNIT = (lambda value: 0 <= value < 1, "in [0, 1)")
NAME = (lambda value: re.fullmatch(r"\w[\w.-]{0,99}", value), "a name of letters, digits, `_`, `.` and `-`")


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What every kind of experiment shares: data, network, one training, the numerics."""

    kind: ClassVar[str]

    dataset: str = option("mnist", "data and network", "name of the data set", valid=NAME)
    network: str = option("lenet_300_100", "data and network", "name of the network", valid=NAME)
    iterations: int = option(8000, "training", "optimizer steps of one training", valid=POSITIVE)
    batch_size: int = option(60, "training", "samples of one optimizer step", valid=POSITIVE)
    optimizer: str = option("adam", "training", "optimizer", choices=OPTIMIZERS)
    learning_rate: float = option(1.2e-3, "training", "learning rate", valid=POSITIVE)
    momentum: float = option(0.0, "training", "momentum of SGD", valid=HALF_OPEN_UNIT)
    nesterov: bool = option(False, "training", "Nesterov momentum of SGD")
    eval_every: int = option(
        100, "training", "iterations between two evaluations on the validation set", valid=POSITIVE
    )
    patience: int | None = option(
        None, "training", "end a training after so many evaluations without a lower validation loss", valid=POSITIVE
    )
    threads: int = option(
        1, "training", "threads of one worker; more of them round differently, hence a run of its own", valid=POSITIVE
    )

    def __post_init__(self) -> None:
        for each in fields(self):
            object.__setattr__(self, each.name, _checked(each, getattr(self, each.name)))
        if self.optimizer == "adam" and (self.momentum or self.nesterov):
            name = "momentum" if self.momentum else "nesterov"
            raise _error(name, "left out with the optimizer adam", getattr(self, name))
        if self.nesterov and not self.momentum:
            raise _error("momentum", "greater than 0 with `nesterov`", self.momentum)

    def described(self) -> dict[str, Any]:
        """Return the fields that determine the numbers, defaults included: the metadata of every file."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.metadata["key"]}

    def key(self) -> str:
        """Return ten hexadecimal digits that name this run among all others of its kind.

        >>> len(ImpSpec().key()), ImpSpec().key() == ImpSpec(rounds=3).key() != ImpSpec(batch_size=64).key()
        (10, True)
        """
        chosen = {
            each.name: getattr(self, each.name)
            for each in fields(self)
            if each.metadata["key"] and getattr(self, each.name) != each.default
        }
        text = json.dumps({"kind": self.kind, **chosen}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:10]

    def folder_name(self) -> str:
        """Return the name of the run's folder, ``<kind>-<dataset>-<network>-<key>``."""
        return f"{self.kind}-{self.dataset}-{self.network}-{self.key()}"

    def to_json(self) -> str:
        """Write all fields as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a spec back. Raises BadInput on fields of another version and on bad values.

        >>> ImpSpec.from_json(ImpSpec(prune_rate=0.5).to_json()) == ImpSpec(prune_rate=0.5)
        True
        """
        values = json.loads(text)
        unknown = sorted(set(values) - {each.name for each in fields(cls)})
        if unknown:
            raise BadInput(f"`spec` must have the fields of {cls.__name__}. Received: {', '.join(unknown)}")
        return cls(**values)


@dataclass(frozen=True, kw_only=True)
class ImpSpec(Spec):
    """Iterative magnitude pruning with rewinding (Frankle & Carbin 2019, arXiv 1803.03635)."""

    kind: ClassVar[str] = "imp"

    rounds: int = option(16, "pruning", "rounds of pruning after the dense round 0", valid=NOT_NEGATIVE, key=False)
    target_density: float | None = option(
        None,
        "pruning",
        "prune until the density is at most this, in place of --rounds",
        valid=(lambda value: 0 < value <= 1, "in (0, 1]"),
        key=False,
        excludes="rounds",
    )
    criterion: str = option("large_final", "pruning", "scores by which weights are kept", choices=tuple(CRITERIA))
    scope: str = option("layer", "pruning", "compare scores within each layer or over all of them", choices=SCOPES)
    prune_rate: float = option(0.2, "pruning", "share of the kept weights that each round prunes", valid=OPEN_UNIT)
    output_prune_rate: float | None = option(
        None, "pruning", "the same for the output layer in the scope `layer`; half of --prune-rate if left out",
        valid=HALF_OPEN_UNIT,
    )  # fmt: skip
    weights_from: str = option(
        "rewind",
        "rewinding",
        "what kept weights go back to: the state at --rewind-iteration; a fresh draw in every round (random "
        "reinitialisation all along the chain, so from round 2 on its masks are its own); the final weights "
        "(fine-tuning); the sign of the initial weight times its layer's standard deviation",
        choices=WEIGHTS_FROM,
    )
    rewind_iteration: int = option(
        0, "rewinding", "iteration of round 0 that `rewind` goes back to; 0 = initial weights", valid=NOT_NEGATIVE
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.scope == "global" and self.output_prune_rate is not None:
            raise _error("output_prune_rate", "left out in the scope `global`", self.output_prune_rate)
        if self.rewind_iteration >= self.iterations:
            raise _error("rewind_iteration", f"less than `iterations`={self.iterations}", self.rewind_iteration)
        if self.rewind_iteration and self.weights_from != "rewind":
            raise _error("rewind_iteration", f"0 with `weights_from`={self.weights_from}", self.rewind_iteration)


def value_type(annotation: Any) -> type:
    """Return the plain type behind an annotation: int for ``int | None``."""
    return next((kind for kind in get_args(annotation) if kind is not type(None)), annotation)


def _checked(each: Any, value: Any) -> Any:
    """Return the value in its field's type. Raises BadInput if it does not fit."""
    if value is None and each.default is None:
        return None
    kind = value_type(each.type)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not kind:
        raise _error(each.name, f"of type {kind.__name__}", value)
    if kind is float and value - value != 0:
        raise _error(each.name, "a finite number", value)
    choices, valid = each.metadata["choices"], each.metadata["valid"]
    if choices and value not in choices:
        raise _error(each.name, f"one of {', '.join(choices)}", value)
    if valid and not valid[0](value):
        raise _error(each.name, valid[1], value)
    return value


def _error(name: str, expected: str, received: Any) -> BadInput:
    return BadInput(f"`{name}` must be {expected}. Received: {name}={received}")
