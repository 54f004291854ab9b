"""Checks that the site of docs/ is built without a warning, asks no other host, and is complete."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from doc_blocks import ROOT
from pydantic import TypeAdapter

from retinaface_tf import __all__ as PUBLIC_NAMES
from retinaface_tf.cli import COMMANDS
from retinaface_tf.config import Config

pytestmark = pytest.mark.slow
ELSEWHERE = re.compile(r"^(https?:)?//")
# Attributes that make a browser load something when it shows a page; links are not among them.
LOADED = {"src", "srcset", "data", "poster"}


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


class Loads(HTMLParser):
    """Collects what a page loads, and the identifiers of its elements."""

    def __init__(self, page: Path):
        super().__init__()
        self.addresses: list[str] = []
        self.identifiers: set[str] = set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name in LOADED or (name == "href" and tag == "link"):
                self.addresses.append(value or "")
            if name == "id":
                self.identifiers.add(value or "")


def test_no_page_asks_another_host_for_anything(site):
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        assert [each for each in Loads(page).addresses if ELSEWHERE.match(each)] == [], page
        assert 'class="mermaid"' not in page.read_text(encoding="utf-8")  # its code is elsewhere
    for sheet in site.rglob("*.css"):
        loaded = re.findall(r"(?:url\(|@import )[\"']?([^)\"']*)", sheet.read_text("utf-8"))
        assert [each for each in loaded if ELSEWHERE.match(each)] == [], sheet


def test_no_page_asks_another_host_in_a_browser(site, browser):
    for name in ("index.html", "serving.html", "reference/api.html", "reference/config.html"):
        browser.open(site / name)
    asked = [problem for problem in browser.problems if "asked the network" in problem]
    assert asked == []


def test_every_item_of_a_list_is_shown_as_one(site):
    for page in site.rglob("*.html"):
        prose = re.sub(r"<(pre|script).*?</\1>", "", page.read_text(encoding="utf-8"), flags=re.S)
        assert re.findall(r"^ *[-*] .*", prose, re.MULTILINE) == [], page  # of the text before it


def test_the_reference_has_every_setting_command_and_public_name(site):
    schema = TypeAdapter(Config).json_schema()
    sections = {key: ref["$ref"].split("/")[-1] for key, ref in schema["properties"].items()}
    settings = {
        f"{name}.{key}"
        for name, section in sections.items()
        for key in schema["$defs"][section]["properties"]
    }
    assert len(settings) > 50
    assert settings <= Loads(site / "reference" / "config.html").identifiers
    commands = {f"retinaface-{name}" for name in COMMANDS}
    assert commands <= Loads(site / "reference" / "commands.html").identifiers
    names = {f"retinaface_tf.{name}" for name in PUBLIC_NAMES}
    assert names <= Loads(site / "reference" / "api.html").identifiers
