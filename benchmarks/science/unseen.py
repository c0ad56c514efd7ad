"""Pictures of classes and sources that the training of the shipped network has not seen.

`configs/unlabelled.csv` lists the drawings and icons. Drawings are of folders of OpenClipart that
the training left out whole, near duplicates included; the icons are of Debian's `oxygen-icon-theme`
and their classes are its folders. A photograph and nineteen crops and edits of it are a class.
"""

import csv
import io
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

from benchmarks.harness.errors import NotHereError
from benchmarks.harness.photographs import photograph_files
from benchmarks.harness.pictures import OPENCLIPART, fashion_mnist_folder, openclipart
from benchmarks.harness.places import CONFIGS
from cipherlens.crypto import ImageError, PreparedSize, open_image, prepare
from cipherlens.model.data.drawings import without_margins
from cipherlens.model.data.fashion_mnist import CLASS_NAMES
from cipherlens.model.data.idx import read_idx
from cipherlens.model.data.images import Pixels, PreparedImages
from cipherlens.model.data.openclipart import MAX_PIXELS

LIST = CONFIGS / "unlabelled.csv"
OXYGEN = Path("/usr/share/icons/oxygen")
VARIANTS = 20
FASHION = 500

Pairs = list[tuple[str, Image.Image]]
"""Classes and pictures."""


def unseen(size: PreparedSize) -> dict[str, PreparedImages]:
    """Return the judging sets by name.

    Raises:
        NotHereError: if a package is not here.
    """
    return {
        "drawings of unseen classes": _prepared(_listed("openclipart-test", _clipart()), size),
        "photographs": _prepared(_photographs(), size),
        "Fashion-MNIST": _prepared(_fashion(), size),
        "icons": _prepared(_listed("icons", OXYGEN), size),
    }


def seen_classes(size: PreparedSize) -> PreparedImages:
    """Return OpenClipart's test part: other drawings of 25 classes that the training saw."""
    data = openclipart(size)
    held_out = data.held_out
    return data if held_out is None else data.take(np.flatnonzero(held_out))


def _clipart() -> Path:
    return Path(os.environ.get("OPENCLIPART", OPENCLIPART))


def _prepared(pairs: Pairs, size: PreparedSize) -> PreparedImages:
    """Return pictures of named classes, prepared."""
    names = sorted({name for name, _ in pairs})
    return PreparedImages(
        images=tuple(prepare(picture, size) for _, picture in pairs),
        labels=np.array([names.index(name) for name, _ in pairs], dtype=np.int64),
        names=tuple(f"{name}/{number:04}" for number, (name, _) in enumerate(pairs)),
        class_names=tuple(names),
        height=size.height,
        width=size.width,
    )


def _listed(name: str, folder: Path) -> Pairs:
    """Return the listed drawings of a set, without their margins."""
    with LIST.open(newline="") as file:
        lines = [line for line in csv.DictReader(file) if line["set"] == name]
    if not (folder / lines[0]["path"]).is_file():
        raise NotHereError(f"{folder} has no {lines[0]['path']}")
    return [(each["class"], without_margins(open_image(folder / each["path"]))) for each in lines]


def _fashion() -> Pairs:
    """Return the first pictures of Fashion-MNIST's test part."""
    folder = fashion_mnist_folder()
    if not folder.is_dir():
        raise NotHereError(f"{folder} is not a folder")
    images = read_idx(folder / "t10k-images-idx3-ubyte.gz", 3)[:FASHION]
    labels = read_idx(folder / "t10k-labels-idx1-ubyte.gz", 1)[:FASHION]
    return [
        (CLASS_NAMES[label], Image.fromarray(image))
        for image, label in zip(images, labels, strict=True)
    ]


def _photographs() -> Pairs:
    """Return every second photograph with its crops and edits; the others were for validation."""
    found = photograph_files()
    if found is None:
        raise NotHereError("there are no photographs")
    draw = np.random.default_rng(7)
    files = sorted(found.files)[1::2]
    return [(path.stem, variant) for path in files for variant in _variants(path, draw)]


def _variants(path: Path, draw: np.random.Generator) -> Iterator[Image.Image]:
    """Yield a photograph, and what somebody may have made of it."""
    picture = open_image(path, 178_000_000).convert("RGB")
    picture.thumbnail((1600, 1600), Image.Resampling.LANCZOS)
    yield picture
    for _ in range(1, VARIANTS):
        yield _edited(_cropped(picture, draw), draw)


def _cropped(picture: Image.Image, draw: np.random.Generator) -> Image.Image:
    """Return a crop of 30 % of the area at least, mirrored every second time."""
    side, stretch = np.sqrt(draw.uniform(0.3, 1)), np.exp(draw.uniform(-0.3, 0.3))
    width = picture.width * min(1, side * stretch)
    height = picture.height * min(1, side / stretch)
    left, top = draw.uniform(0, picture.width - width), draw.uniform(0, picture.height - height)
    part = picture.crop((int(left), int(top), int(left + width), int(top + height)))
    return part.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if draw.random() < 0.5 else part


def _edited(picture: Image.Image, draw: np.random.Generator) -> Image.Image:
    """Return a picture with other colours, or saved small and badly, or as it is."""
    if draw.random() < 0.5:
        picture = ImageEnhance.Brightness(picture).enhance(draw.uniform(0.7, 1.3))
        picture = ImageEnhance.Contrast(picture).enhance(draw.uniform(0.7, 1.3))
        picture = ImageEnhance.Color(picture).enhance(draw.uniform(0.4, 1.4))
    if draw.random() < 0.3:
        saved = io.BytesIO()
        picture.resize((picture.width // 3, picture.height // 3)).save(saved, "JPEG", quality=40)
        picture = Image.open(saved).convert("RGB")
    return picture


def others(size: PreparedSize, count: int, judged: Iterable[Pixels]) -> list[Pixels]:
    """Return further pictures to hide judged ones among, none of them one of those.

    They are OpenClipart's drawings, then crops of these.
    """
    taken = {image.tobytes() for image in judged}
    draw = np.random.default_rng(5)
    paths = sorted(_clipart().rglob("*.png"))
    found: list[Pixels] = []
    for whole in (True, False):
        for path in draw.permutation(np.array(paths, dtype=object)):
            if len(found) == count:
                return found
            try:
                picture = without_margins(open_image(path, MAX_PIXELS))
            except (ImageError, ValueError):
                continue
            image = prepare(picture if whole else _cropped(picture, draw), size)
            if image.tobytes() not in taken:
                taken.add(image.tobytes())
                found.append(image)
    return found
