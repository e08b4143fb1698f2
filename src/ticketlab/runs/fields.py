"""Declarations of a spec's fields, and the check of their values. This module does not know the fields (spec.py)."""

import enum
import re
from dataclasses import MISSING, field
from types import NoneType
from typing import Any, get_args, get_origin

from ticketlab.errors import BadInput


class LeftOut(enum.Enum):
    """The value of a field that is left out, which the other fields decide."""

    LEFT_OUT = "left out"

    def __repr__(self) -> str:
        return "<left out>"

    def __bool__(self) -> bool:
        raise TypeError("a field that is left out has no value: ask `spec.resolved`")


LEFT_OUT = LeftOut.LEFT_OUT


def option(
    default: Any,
    group: str,
    text: str,
    *,
    choices=None,
    valid=None,
    key=True,
    before=MISSING,
    fitted=False,
    excludes=(),
    belongs_to=None,
    only_with=None,
) -> Any:
    """Declare a field of a spec.

    Args:
        default: value where the field is left out and nothing else decides it.
        group: heading of the flag in ``--help``.
        text: one line for ``--help``.
        choices: allowed names, for a field that holds a name; a table of rules by name will do.
        valid: predicate that a given value must satisfy, and words for "must be `words`".
        key: whether the field belongs to the run key.
        before: value that describes runs from before the field existed, if it is not the default; the key leaves it out
            like a default.
        fitted: whether the other fields may decide this one where it is left out.
        excludes: fields that cannot be given together with this one.
        belongs_to: field on whose value a published value of this one depends.
        only_with: value of that field with which alone this one has a meaning; None where it always has.
    """
    notes = {"group": group, "help": text, "choices": choices, "valid": valid, "key": key}
    notes |= {"default": default, "before": default if before is MISSING else before}
    notes |= {"excludes": excludes, "belongs_to": belongs_to, "only_with": only_with}
    return field(default=LEFT_OUT if fitted else default, metadata=notes)


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


def value_type(annotation: Any) -> type:
    """Return the plain type behind an annotation: int for ``int | None``, tuple for ``tuple[int, ...]``."""
    if get_origin(annotation) is tuple:
        return tuple
    return next((kind for kind in get_args(annotation) if kind is not type(None)), annotation)


def checked(each: Any, value: Any) -> Any:
    """Return a value in its field's type. Raises BadInput if the value does not fit."""
    if _open(each, value):
        return None
    kind = value_type(each.type)
    if kind is float and type(value) is int:
        value = float(value)
    if kind is tuple and type(value) is list:  # as JSON stores it
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


def _open(each: Any, value: Any) -> bool:
    return value is None and NoneType in get_args(each.type)


def refused(name: str, expected: str, received: Any) -> BadInput:
    """Make the error of a field with a wrong value, in Keras's form."""
    return BadInput(f"`{name}` must be {expected}. Received: {name}={received}")
