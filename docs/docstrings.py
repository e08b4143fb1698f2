"""What the site shows of docstrings and specs beyond what mkdocstrings does. Read by MkDocs alone.

Markdown would take the ``>>>`` of doctests for quotations; the help of a spec's fields stands in their declarations.
"""

import ast
import re
from typing import Any

import griffe

DOCTEST = re.compile(r"^([ \t]*)(>>> .*(?:\n[ \t]*\S.*)*)", re.M)


class Docstrings(griffe.Extension):
    """Fence each doctest up to the next empty line; give each field of a spec its help as docstring."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of one object."""
        if obj.docstring:
            obj.docstring.value = DOCTEST.sub(r"\1```pycon\n\1\2\n\1```", obj.docstring.value)

    def on_attribute_instance(self, *, attr: griffe.Attribute, **_: Any) -> None:
        """Change the docstring of a field of a spec."""
        call = attr.value
        if isinstance(call, griffe.ExprCall) and str(call.function) == "option":
            default, _group, told = list(call.arguments)[:3]
            text = ast.literal_eval(str(told))
            if str(default) not in ("None", "()", "False") and "default" not in text:
                text += f" (default: `{default}`)"
            attr.docstring = griffe.Docstring(text, parent=attr)
