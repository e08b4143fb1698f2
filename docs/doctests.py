"""Shows the doctests of docstrings as code on the site: Markdown would take their ``>>>`` for quotations."""

import re
from typing import Any

import griffe

DOCTEST = re.compile(r"^([ \t]*)(>>> .*(?:\n[ \t]*\S.*)*)", re.M)


class Doctests(griffe.Extension):
    """Fence each doctest of a docstring, up to the next empty line."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of one object."""
        if obj.docstring:
            obj.docstring.value = DOCTEST.sub(r"\1```pycon\n\1\2\n\1```", obj.docstring.value)
