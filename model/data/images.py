"""Labelled images from a folder of class folders, prepared and held in memory, and their split."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from cipherlens.crypto import ImageError, PreparedSize, open_image, prepare
from cipherlens.model.config import SplitConfig
from cipherlens.model.errors import DataError

Pixels = NDArray[np.uint8]

IMAGE_SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
PARTS = ("train", "validation", "test")


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelledFiles:
    """Image files and their classes: `labels` is (n,) int64, an index into `class_names`."""

    root: Path
    paths: tuple[Path, ...]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class PreparedImages:
    """Prepared plain images, each (h, w, 3) uint8 in one of two orientations, and their classes.

    `names` are the paths within the folder, with forward slashes. `skipped` pairs the names of
    files that could not be read with the reason. `held_out`, (n,) bool, marks the images that the
    data's makers set aside for tests; None where they left that to the user.
    """

    images: tuple[Pixels, ...]
    labels: NDArray[np.int64]
    names: tuple[str, ...]
    class_names: tuple[str, ...]
    height: int
    width: int
    skipped: tuple[tuple[str, str], ...] = ()
    held_out: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.images)

    def take(self, indices: NDArray[np.intp]) -> Self:
        """Return the images at the given positions, in that order."""
        return replace(
            self,
            images=tuple(self.images[index] for index in indices),
            labels=self.labels[indices],
            names=tuple(self.names[index] for index in indices),
            held_out=None if self.held_out is None else self.held_out[indices],
        )

    def digest(self) -> str:
        """Return 64 hex digits that change with any name, class, size, pixel or held-out mark."""
        digest = hashlib.sha256(f"{self.height}x{self.width}\n".encode())
        for name, label, image in zip(self.names, self.labels, self.images, strict=True):
            digest.update(f"{name}\n{self.class_names[label]}\n{image.shape}\n".encode())
            digest.update(image.tobytes())
        if self.held_out is not None:
            digest.update(self.held_out.tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """Positions of the images in each part, ascending; no image is in two parts."""

    train: NDArray[np.intp]
    validation: NDArray[np.intp]
    test: NDArray[np.intp]


def list_pictures(root: Path) -> LabelledFiles:
    """Return the image files anywhere below root, in order of their names, as one class "".

    Hidden files and folders are passed over.

    Raises:
        DataError: if there are none.
        OSError: if the folder cannot be read.
    """
    paths = tuple(_images(root))
    if not paths:
        raise DataError(f"{root} holds no pictures")
    labels = np.zeros(len(paths), dtype=np.int64)
    return LabelledFiles(root=root, paths=paths, labels=labels, class_names=("",))


def list_folder(root: Path) -> LabelledFiles:
    """Return the image files below the class folders of root, both in order of their names.

    A class folder may have folders of its own; hidden files and folders are passed over.

    Raises:
        DataError: if there are fewer than two class folders with images.
        OSError: if the folder cannot be read.
    """
    found = {
        folder.name: files
        for folder in sorted(root.iterdir())
        if folder.is_dir() and not folder.name.startswith(".") and (files := _images(folder))
    }
    if len(found) < 2:
        raise DataError(f"{root} has {len(found)} class folders with images, at least 2 are needed")
    counts = [len(files) for files in found.values()]
    return LabelledFiles(
        root=root,
        paths=tuple(path for files in found.values() for path in files),
        labels=np.repeat(np.arange(len(found)), counts).astype(np.int64),
        class_names=tuple(found),
    )


def load_prepared(
    files: LabelledFiles,
    size: PreparedSize,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> PreparedImages:
    """Return the images prepared to a size, those that cannot be read in `skipped`.

    `progress` is called with the number of files done and of all files.

    Raises:
        DataError: if not one image of some class can be read.
    """
    images, kept, skipped = [], [], []
    for index, path in enumerate(files.paths):
        try:
            images.append(prepare(open_image(path), size))
            kept.append(index)
        except ImageError as error:
            skipped.append((_name(files, index), str(error)))
        progress(index + 1, len(files.paths))
    labels = files.labels[kept]
    if missing := sorted(set(range(len(files.class_names))) - set(labels.tolist())):
        raise DataError(f"no image of class {files.class_names[missing[0]]} can be read")
    return PreparedImages(
        images=tuple(images),
        labels=labels,
        names=tuple(_name(files, index) for index in kept),
        class_names=files.class_names,
        height=size.height,
        width=size.width,
        skipped=tuple(skipped),
    )


def split_images(images: PreparedImages, config: SplitConfig) -> Split:
    """Return the split by the configured shares; where images are held out, they are the test part.

    The share for tests then has no say, and the share for validation is of the other images.

    Raises:
        DataError: if a class has too few images to give the training two.
    """
    if images.held_out is None:
        return split(images.labels, config)
    rest = np.flatnonzero(~images.held_out)
    parts = split(images.labels[rest], replace(config, test=0.0))
    return Split(
        train=rest[parts.train],
        validation=rest[parts.validation],
        test=np.flatnonzero(images.held_out),
    )


def split(labels: NDArray[np.int64], config: SplitConfig) -> Split:
    """Return a split of each class by the configured shares, the same for the same seed.

    Raises:
        DataError: if a class has too few images to give the training two.
    """
    generator = np.random.default_rng(config.seed)
    parts: dict[str, list[NDArray[np.intp]]] = {name: [] for name in PARTS}
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        tested = round(len(members) * config.test)
        validated = round(len(members) * config.validation)
        if len(members) - tested - validated < 2:
            raise DataError(f"class {label} has {len(members)} images: fewer than 2 would train")
        test, validation, train = np.split(members, [tested, tested + validated])
        for name, chosen in zip(PARTS, (train, validation, test), strict=True):
            parts[name].append(chosen)
    return Split(**{name: np.sort(np.concatenate(chosen)) for name, chosen in parts.items()})


def by_shape(
    images: Sequence[Pixels], size: int | None = None
) -> Iterator[tuple[NDArray[np.intp], Pixels]]:
    """Yield, for each orientation, the positions of its images and them as (n, h, w, 3) uint8.

    With `size` they come in batches of at most so many.
    """
    positions: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for position, image in enumerate(images):
        positions[image.shape].append(position)
    for shape in sorted(positions):
        chosen = np.array(positions[shape], dtype=np.intp)
        for start in range(0, len(chosen), size or len(chosen)):
            batch = chosen[start : start + (size or len(chosen))]
            yield batch, np.stack([images[each] for each in batch])


def _images(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _name(files: LabelledFiles, index: int) -> str:
    return files.paths[index].relative_to(files.root).as_posix()
