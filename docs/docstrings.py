"""What the site shows of docstrings and specs beyond what mkdocstrings does. Read by MkDocs alone.

Markdown would take the ``>>>`` of doctests for quotations, and mkdocstrings what stands before the first colon behind
``Returns:`` for a type; the help of a spec's fields stands in their declarations.
"""

import ast
import re
from collections.abc import Iterator
from typing import Any

import griffe

DOCTEST = re.compile(r"^([ \t]*)(>>> .*(?:\n[ \t]*\S.*)*)", re.M)
RETURNS = re.compile(r"^((?:Returns|Yields):\n\s+)", re.M)


class Docstrings(griffe.Extension):
    """Fence each doctest up to the next empty line, say what type is returned, list the fields of each spec."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of one object."""
        if obj.docstring:
            text = DOCTEST.sub(r"\1```pycon\n\1\2\n\1```", obj.docstring.value)
            if isinstance(obj, griffe.Function):
                text = RETURNS.sub(lambda found: f"{found[1]}{obj.returns}: ", text)
            obj.docstring.value = text

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """List the fields of each spec in its docstring, those that it inherits first."""
        for each in _classes(pkg):
            members = {**each.inherited_members, **each.members}.values()
            fields = [line for member in members if member.is_attribute and (line := _field(member))]
            if fields and each.docstring:
                each.docstring.value += "\n\nAttributes:\n" + "\n".join(fields)


def _classes(module: griffe.Module) -> Iterator[griffe.Class]:
    yield from (each for each in module.classes.values() if not each.is_alias)
    for inner in module.modules.values():
        if not inner.is_alias:
            yield from _classes(inner)


def _field(member: griffe.Object | griffe.Alias) -> str | None:
    """Return the line on a field of a spec; None for another attribute."""
    call = member.value
    if not isinstance(call, griffe.ExprCall) or str(call.function) != "option":
        return None
    default, _group, told = list(call.arguments)[:3]
    text = ast.literal_eval(str(told))
    if str(default) not in ("None", "()", "False") and "default" not in text:
        text += f" (default: `{default}`)"
    return f"    {member.name} ({member.annotation}): {text}"
