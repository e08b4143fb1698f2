"""What the tests of the documentation share: the pages, their blocks of code, and their inline code."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "models/README.md", "outputs/README.md")
]
PAGES += sorted((ROOT / "docs").rglob("*.md"))
FENCE = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, what else stands behind the fence, its text and where that begins."""

    language: str
    info: str
    text: str
    line: int


def name(page: Path) -> str:
    """Return what a failing test calls a page."""
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str) -> list[Block]:
    """List the fenced blocks of a language."""
    text = page.read_text()
    found = (Block(m[1], m[2], m[3], text[: m.start(3)].count("\n")) for m in FENCE.finditer(text))
    return [block for block in found if block.language == language]


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return FENCE.sub("", page.read_text())


def inline(page: Path) -> list[str]:
    """List the inline code of a page."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"``.*?``", "", prose(page)))


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and MkDocs make them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.M)
    return {re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", heading.lower()).strip()) for heading in headings}
