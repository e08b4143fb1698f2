"""The documentation becomes a site without a warning and without the network, and loads nothing from elsewhere."""

import re
import subprocess
import sys

import pytest
from documents import ROOT

import ticketlab

OFFLINE = """
import socket, sys
def refuse(*_): raise OSError("no network here")
socket.socket.connect = socket.getaddrinfo = refuse
from mkdocs.__main__ import cli
cli(["build", "--strict", "--quiet", "--site-dir", sys.argv[1]])
"""


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE, str(folder)],
        cwd=ROOT,
        env={"NO_MKDOCS_2_WARNING": "1", "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    return folder


def test_the_site_loads_nothing_from_elsewhere(site):
    loads = re.compile(
        r"""<(?:script|link|img|iframe|source|video|object)\b[^>]*?(?:src|href|data)=["']?((?:https?:)?//[^"' >]+)"""
    )
    pages = list(site.rglob("*.html"))
    assert len(pages) > 10
    assert {url for page in pages for url in loads.findall(page.read_text())} == set()
    styles = "".join(style.read_text() for style in site.rglob("*.css"))
    assert re.findall(r"""(?:@import|url\()\s*["']?(?:https?:)?//[^)"']+""", styles) == []


def test_the_reference_has_every_public_name(site):
    reference = "".join(page.read_text() for page in (site / "reference").rglob("*.html"))
    missing = [each for each in ticketlab.__all__ if f'id="ticketlab.{each}' not in reference]
    assert missing == []
