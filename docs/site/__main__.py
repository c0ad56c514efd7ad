"""Builds the site: `python docs/site` lays its pages out in build/docs and its HTML in build/site.

Beside the pages of docs/ it has pages made of the sources, and documents that have a place of their
own in the repository.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath

import commands
import pictures
import rpcs
import settings

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "build" / "docs"

# Documents from elsewhere, by their place on the site.
ELSEWHERE = {
    "security.md": "SECURITY.md",
    "benchmarks.md": "benchmarks/REPORT.md",
    "changes.md": "CHANGELOG.md",
    "model-card.md": "demo/MODEL.md",
}
MADE: Mapping[str, Callable[[], str]] = {
    "reference/commands.md": commands.page,
    "reference/rpcs.md": rpcs.page,
    "reference/settings.md": settings.page,
}
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")


def main() -> int:
    """Build the site anew; return the exit code: a link that leads nowhere is a failure."""
    lay_out()
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict"]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}  # an advertisement on each build
    done = subprocess.run([*command, "-f", ROOT / "mkdocs.yml"], env=environment, check=False)
    return done.returncode


def lay_out() -> None:
    """Write all pages, and the pictures that they show."""
    shutil.rmtree(PAGES, ignore_errors=True)
    written = {
        path.relative_to(ROOT / "docs").as_posix(): path.read_text(encoding="utf-8")
        for path in (ROOT / "docs").rglob("*.md")
    }
    places = {source: place for place, source in ELSEWHERE.items()}
    places |= {f"docs/{place}": place for place in [*written, *MADE]}
    for picture in _pictures():
        place = picture.relative_to(ROOT).as_posix().removeprefix("docs/")
        places[picture.relative_to(ROOT).as_posix()] = place
        _put(place, picture.read_bytes())
    _put("pictures.png", pictures.png())
    places["docs/pictures.png"] = "pictures.png"
    for place, text in written.items():
        _put(place, _linked(text, f"docs/{place}", place, places).encode())
    for place, source in ELSEWHERE.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        _put(place, _linked(text, source, place, places).encode())
    for place, make in MADE.items():
        _put(place, make().encode())


def _pictures() -> list[Path]:
    return [
        *(ROOT / "docs").rglob("*.svg"),
        *(ROOT / "docs").rglob("*.png"),
        *(ROOT / "benchmarks" / "results").rglob("*.png"),
    ]


def _put(place: str, data: bytes) -> None:
    path = PAGES / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _linked(text: str, source: str, place: str, places: Mapping[str, str]) -> str:
    """Return a document whose links lead to where things are on the site.

    What is not there, such as a folder of sources, becomes plain text.

    source: where the document is in the repository.
    place: where it is on the site.
    places: where everything is on the site, by where it is in the repository.
    """

    def moved(link: re.Match[str]) -> str:
        mark, said, target = link.groups()
        if re.match(r"[a-z]+:|#", target):
            return link[0]
        path, hash_, anchor = target.partition("#")
        found = places.get(normpath(PurePosixPath(source).parent / path))
        if found is None:
            return said
        return f"{mark}[{said}]({relpath(found, PurePosixPath(place).parent)}{hash_}{anchor})"

    return _LINK.sub(moved, text)


if __name__ == "__main__":
    sys.exit(main())
