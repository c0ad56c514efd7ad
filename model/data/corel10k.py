"""Corel10K: 10,000 pictures called N.jpg in one folder, a hundred of each class."""

import re
from pathlib import Path

import numpy as np

from cipherlens.model.data.images import IMAGE_SUFFIXES, LabelledFiles
from cipherlens.model.errors import DataError

PER_CLASS = 100
IMAGES = 10_000
NAME = re.compile(r"(0|[1-9][0-9]{0,8})\.jpe?g", re.ASCII | re.IGNORECASE)


def list_corel10k(root: Path) -> LabelledFiles:
    """Return the pictures N.jpg in order of N, from 0 to 9999; the class is N // 100.

    Pictures may be missing. Class names are the numbers of the classes that are there. Hidden
    files, folders and files that are no pictures are passed over.

    Raises:
        DataError: if a picture is called otherwise, two have one number, or there are fewer than
            two classes.
        OSError: if the folder cannot be read.
    """
    numbered: dict[int, Path] = {}
    for path in sorted(root.iterdir()):
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith("."):
            number = _number(path)
            if other := numbered.get(number):
                raise DataError(
                    f"{root} has {other.name} and {path.name}: one number, two pictures"
                )
            numbered[number] = path
    classes = sorted({number // PER_CLASS for number in numbered})
    if len(classes) < 2:
        raise DataError(
            f"{root} has {len(numbered)} pictures N.jpg of {len(classes)} classes, "
            "at least 2 classes are needed"
        )
    numbers = sorted(numbered)
    return LabelledFiles(
        root=root,
        paths=tuple(numbered[number] for number in numbers),
        labels=np.searchsorted(classes, [number // PER_CLASS for number in numbers]),
        class_names=tuple(str(each) for each in classes),
    )


def _number(path: Path) -> int:
    """Return N of a picture N.jpg.

    Raises:
        DataError: if it is called otherwise or N is too large.
    """
    match = NAME.fullmatch(path.name)
    if match is None:
        raise DataError(f"{path} is not called N.jpg, N without leading zeros")
    number = int(match[1])
    if number >= IMAGES:
        raise DataError(f"{path} has the number {number}, those of Corel10K go to {IMAGES - 1}")
    return number
