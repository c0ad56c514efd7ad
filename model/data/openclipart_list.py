"""Make the list of OpenClipart's drawings, their classes and parts.

    python -m cipherlens.model.data.openclipart_list FOLDER LIST.csv

The same package and the same Pillow give the same bytes. The rules, in this order:

1. Left out is what cannot be read, has more than 20 million pixels, is transparent all over, looks
   like the renderer's "Linked Image Not Found", or lies in the folder of unsorted pictures.
2. Of pictures whose 64-bit difference hashes differ in at most 6 bits one stays: the one in the
   deepest folder, the first by name. So no drawing stands on both sides of the split. (In a sample
   of pairs that differ in 7 bits about one in seven was the same drawing in other colours.)
3. A class is a folder of the second level with at least 40 pictures, or a folder of the first level
   with as many that holds no such class.
4. A class gives at most 150 pictures, so that none decides the figures alone.
5. The test part is 30 % of each class. Which pictures a class gives and which of them are tests
   follows the order of the files' digests, which says nothing of what they show.
"""

import argparse
import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from cipherlens.base import replace_file
from cipherlens.crypto import ImageError, open_image
from cipherlens.model.data.drawings import difference_hash, is_near, without_margins
from cipherlens.model.data.openclipart import COLUMNS, FOLDER, MAX_PIXELS, Drawing, short_digest

NEAR_BITS = 6
LEAST_IN_CLASS = 40
MOST_IN_CLASS = 150
TEST_SHARE = 0.3
UNSORTED = "unsorted"
PLACEHOLDER_HASH = 0x8C94948E8AB6A662
"""The difference hash of "Linked Image Not Found"."""


def main() -> None:
    """Write the list that the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=FOLDER)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    replace_file(arguments.out, list_bytes(make_list(arguments.folder)))


def make_list(
    folder: Path, *, least_in_class: int = LEAST_IN_CLASS, most_in_class: int = MOST_IN_CLASS
) -> list[Drawing]:
    """Return the list of the drawings in a folder, in order of class and path."""
    kept = without_near(readable(folder))
    chosen = [
        drawing
        for name, members in sorted(by_class(kept, least_in_class).items())
        for drawing in parted(name, members[:most_in_class])
    ]
    return sorted(chosen, key=lambda each: (each.class_name, each.path))


def list_bytes(drawings: list[Drawing]) -> bytes:
    """Return the list as a CSV file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for each in drawings:
        fingerprint = f"{each.difference_hash:016x}"
        writer.writerow([each.path, each.class_name, each.part, fingerprint, each.sha256])
    return text.getvalue().encode()


def readable(folder: Path) -> Iterator[Drawing]:
    """Yield the drawings that can be used, deepest folders first, as yet without a class."""
    paths = [path.relative_to(folder).as_posix() for path in folder.rglob("*.png")]
    for path in sorted(paths, key=lambda each: (-each.count("/"), each)):
        if not path.startswith(f"{UNSORTED}/") and (drawing := _read(folder, path)):
            yield drawing


def without_near(drawings: Iterator[Drawing]) -> list[Drawing]:
    """Return the drawings that look like none before them."""
    kept: dict[int, Drawing] = {}
    for drawing in drawings:
        if not is_near(drawing.difference_hash, kept, NEAR_BITS):
            kept[drawing.difference_hash] = drawing
    return list(kept.values())


def by_class(drawings: list[Drawing], least: int) -> dict[str, list[Drawing]]:
    """Return the drawings of each class with enough of them, in the order of their digests."""
    ordered = sorted(drawings, key=lambda each: (each.sha256, each.path))
    counts = Counter(_second_level(each) for each in ordered)
    own = {name for name, count in counts.items() if name and count >= least}
    divided = {name.split("/")[0] for name in own}
    members = defaultdict(list)
    for drawing in ordered:
        first = PurePosixPath(drawing.path).parts[0]
        second = _second_level(drawing)
        if second in own:
            members[second].append(drawing)
        elif first not in divided:
            members[first].append(drawing)
    return {name: found for name, found in members.items() if len(found) >= least}


def parted(class_name: str, drawings: list[Drawing]) -> Iterator[Drawing]:
    """Yield the drawings of a class, the first of them as tests."""
    tests = round(len(drawings) * TEST_SHARE)
    for number, drawing in enumerate(drawings):
        part = "test" if number < tests else "train"
        yield replace(drawing, class_name=class_name, part=part)


def _read(folder: Path, path: str) -> Drawing | None:
    """Return a drawing, or None if it cannot be used."""
    data = (folder / path).read_bytes()
    try:
        found = difference_hash(without_margins(open_image(data, MAX_PIXELS)))
    except (ImageError, ValueError):
        return None
    if is_near(found, [PLACEHOLDER_HASH], NEAR_BITS):
        return None
    return Drawing(
        path=path, class_name="", part="", difference_hash=found, sha256=short_digest(data)
    )


def _second_level(drawing: Drawing) -> str:
    """Return the first two folders of a drawing's path, or "" where there is one."""
    folders = PurePosixPath(drawing.path).parts[:-1]
    return "/".join(folders[:2]) if len(folders) > 1 else ""


if __name__ == "__main__":
    main()
