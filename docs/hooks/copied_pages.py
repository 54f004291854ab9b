"""Shows files of the repository as pages of the site, and makes links lead from page to page.

Links are written for a reader of the repository. On the site, a link to README.md is one to
index.md.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
SOURCES = {
    "index.md": "README.md",
    "contributing.md": "CONTRIBUTING.md",
    "about/benchmarks.md": "benchmarks/README.md",
    "about/changelog.md": "CHANGELOG.md",
}
PAGES = {source: page for page, source in SOURCES.items()}
LINK = re.compile(r"\]\((?!#|[a-z]+:)([^)#\s]+)")


def on_files(files: Files, *, config: Any) -> Files:
    """Adds the files of SOURCES to the pages."""
    for page, source in SOURCES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Makes the links of a page lead to pages."""
    uri = page.file.src_uri
    return relink(markdown, SOURCES.get(uri, f"docs/{uri}"), uri)


def relink(markdown: str, source: str, page: str) -> str:
    """Turns links between files of the repository into links between pages.

    Args:
        markdown: with links that are relative to `source`.
        source: a file, by its path in the repository.
        page: the page that shows the file, by its path on the site.
    """

    def turn(link: re.Match[str]) -> str:
        file = posixpath.normpath(posixpath.join(posixpath.dirname(source), link[1]))
        target = PAGES.get(file, file.removeprefix("docs/"))
        return f"]({posixpath.relpath(target, posixpath.dirname(page) or '.')}"

    return LINK.sub(turn, markdown)
