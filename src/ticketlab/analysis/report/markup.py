"""Pieces of a page: headed parts, a list of them with links, tables, pictures. Does not know what they say."""

import base64
import re
from collections.abc import Sequence
from html import escape
from itertools import chain, count
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pandas as pd

PIXELS_PER_POINT = 96 / 72
LONG = 8  # entries of a list that may be broken over columns


class Part(NamedTuple):
    """A part of the page.

    Attributes:
        level: 2 or 3, of its heading.
        heading: text; a figure has none of its own, and is called so in the list of contents.
        content: HTML.
        figure: its name, if it is one.
    """

    level: int
    heading: str
    content: str = ""
    figure: str = ""


def joined(parts: Sequence[Part]) -> tuple[str, str]:
    """Return a list of contents and the parts below each other; each part has an anchor of its own."""
    names = anchors([f"figure-{part.figure}" if part.figure else part.heading for part in parts])
    lists: list[tuple[str, list[str]]] = []
    for name, part in zip(names, parts, strict=True):
        link = f'<a href="#{name}">{escape(part.heading)}</a>'
        if part.level == 2:
            lists.append((link, []))
        else:
            lists[-1][1].append(f"<li>{link}</li>")
    contents = "".join(_entry(*each) for each in lists)
    return f"<ul>{contents}</ul>", "\n".join(map(_part, names, parts))


def anchors(texts: Sequence[str]) -> list[str]:
    """Make of each text a name for links to it, all different.

    >>> anchors(["In numbers", "of a<b", "of a>b"])
    ['in-numbers', 'of-a-b', 'of-a-b-2']
    """
    found: list[str] = []
    for text in texts:
        name = re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-") or "part"
        names = chain([name], (f"{name}-{number}" for number in count(2)))
        found.append(next(each for each in names if each not in found))
    return found


def table(rows: pd.DataFrame, label: str, *, text: bool = False) -> str:
    """Write a table, whose first column stays in sight, and which a click on a heading sorts.

    Args:
        rows: rows of texts and numbers, written as they are; missing values are left blank.
        label: description for readers who cannot see it.
        text: whether cells hold sentences rather than numbers; such a table does not sort.
    """
    kind = ("text two" if len(rows.columns) == 2 else "text") if text else "sortable"
    heads = "".join(f'<th scope="col">{escape(str(name))}</th>' for name in rows)
    body = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{each}</td>" for each in rest)}</tr>\n'
        for first, *rest in zip(*(rows[name].map(_cell) for name in rows), strict=True)
    )
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(label)}"><table class="{kind}">\n'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}</tbody></table></div>"
    )


def folded(summary: str, content: str) -> str:
    """Hide content behind a line until it is asked for; on paper it is there."""
    return f"<details><summary>{escape(summary)}</summary>{content}</details>"


def picture(path: Path, alternative: str) -> str:
    """Put an SVG file into the page: no wider than the page, but on a narrow screen as wide as can be read."""
    content = path.read_bytes()
    width = re.search(rb'<svg[^>]*\swidth="([\d.]+)pt"', content)
    style = f' style="--width: {float(width[1]) * PIXELS_PER_POINT:.0f}px"' if width else ""
    image = f'<img alt="{escape(alternative)}" src="{_data("svg+xml", content)}">'
    return f'<div class="picture" tabindex="0"{style}>{image}</div>'


def moving(path: Path, alternative: str) -> str:
    """Put a GIF file into the page, where it can be folded away; who asks for less motion does not see it."""
    image = f'<img alt="{escape(alternative)}" src="{_data("gif", path.read_bytes())}">'
    return f'<details class="moving" open><summary>The same, moving</summary>{image}</details>'


def links(paths: Sequence[str], words: Sequence[str]) -> str:
    """Link files, whose paths are relative to the page's."""
    pairs = zip(paths, words, strict=True)
    return " · ".join(f'<a href="{quote(path)}">{escape(word)}</a>' for path, word in pairs)


def _entry(link: str, inner: Sequence[str]) -> str:
    kind = ' class="long"' if len(inner) > LONG else ""
    return f"<li{kind}>{link}" + (f"<ul>{''.join(inner)}</ul>" if inner else "") + "</li>"


def _part(name: str, part: Part) -> str:
    if part.figure:
        return f'<figure id="{name}">{part.content}</figure>'
    return f'<h{part.level} id="{name}">{escape(part.heading)}</h{part.level}>\n{part.content}'


def _cell(value: object) -> str:
    return "" if pd.isna(value) else escape(str(value))


def _data(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
