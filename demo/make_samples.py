"""Make the sample images of the demonstration from the Debian package openclipart-png.

    python demo/make_samples.py

reads the pictures that samples.toml names, and writes samples/<category>/<name>.png with
samples/MANIFEST.json. The same package and the same Pillow give the same bytes.
"""

import argparse
import hashlib
import io
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from PIL import Image

from cipherlens.model.data.drawings import difference_hash, without_margins

HERE = Path(__file__).resolve().parent
MANIFEST = "MANIFEST.json"
LONGER_SIDE = 192
COLOURS = 256
NEAR_BITS = 4  # of 64: two pictures this close look like one drawn twice


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One line of the manifest: a sample image and the picture it was made from."""

    category: str
    file: str
    source: str
    source_sha256: str
    sha256: str
    width: int
    height: int


def main() -> None:
    """Write the sample set that the command line asks for and print its size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--package", type=Path, default=Path("/usr/share/openclipart/png"))
    parser.add_argument("--list", type=Path, default=HERE / "samples.toml", dest="listing")
    parser.add_argument("--out", type=Path, default=HERE / "samples")
    arguments = parser.parse_args()
    try:
        samples = make_samples(arguments.package, arguments.listing, arguments.out)
    except (OSError, ValueError) as error:
        sys.exit(f"make_samples: {error}")
    size_bytes = sum((arguments.out / sample.file).stat().st_size for sample in samples)
    categories = len({sample.category for sample in samples})
    print(f"{len(samples)} images, {categories} categories, {size_bytes / 1e6:.2f} MB")


def make_samples(package: Path, listing: Path, out: Path) -> list[Sample]:
    """Return the samples, written under out in place of those that its manifest lists.

    Nothing under out changes unless every picture could be read.

    Raises:
        FileNotFoundError: a listed picture is not in the package folder.
        ValueError: the list is malformed, or two of its pictures look alike.
    """
    origin, categories = read_listing(listing)
    files: dict[str, bytes] = {}
    hashes: dict[str, int] = {}
    samples: list[Sample] = []
    for category, source in sorted(pairs(categories)):
        picture = (package / source).read_bytes()
        image = prepare(picture)
        file = unused_name(category, source, files)
        files[file] = png_bytes(image)
        hashes[file] = difference_hash(image)
        samples.append(
            Sample(
                category=category,
                file=file,
                source=source,
                source_sha256=hashlib.sha256(picture).hexdigest(),
                sha256=hashlib.sha256(files[file]).hexdigest(),
                width=image.width,
                height=image.height,
            )
        )
    refuse_near_duplicates(hashes)
    remove_listed(out)
    write_files(out, files)
    (out / MANIFEST).write_text(manifest_text(origin, samples), encoding="utf-8")
    return samples


def read_listing(path: Path) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Return the origin table and the source paths of every category.

    Raises:
        ValueError: a table is missing, or a picture is listed twice.
    """
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    for table in ("origin", "categories"):
        if not isinstance(document.get(table), dict):
            raise ValueError(f"{path.name} has no table [{table}]")
    seen: set[str] = set()
    for _, source in pairs(document["categories"]):
        if source in seen:
            raise ValueError(f"{path.name} lists {source} twice")
        seen.add(source)
    return document["origin"], document["categories"]


def pairs(categories: dict[str, list[str]]) -> Iterator[tuple[str, str]]:
    """Yield (category, source path) for every listed picture."""
    for category, sources in categories.items():
        for source in sources:
            yield category, source


def prepare(picture: bytes) -> Image.Image:
    """Return the picture on white, without its empty margins, in at most 256 colours.

    The longer side is at most 192 pixels; a smaller picture keeps its size. Margins are what
    is transparent, so the white stripe of a flag stays.

    Raises:
        ValueError: the picture is transparent all over.
    """
    with Image.open(io.BytesIO(picture)) as opened:
        return reduce_colours(shrink(without_margins(opened)))


def shrink(image: Image.Image) -> Image.Image:
    """Return the image with its longer side at 192 pixels, or as it is where that is smaller."""
    scale = LONGER_SIDE / max(image.size)
    if scale >= 1:
        return image
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS)


def reduce_colours(image: Image.Image) -> Image.Image:
    """Return the image in palette mode: exact up to 256 colours, else the nearest 256.

    No dithering: it would add grain that flat drawings do not have, and double the size.
    """
    return image.quantize(COLOURS, Image.Quantize.MEDIANCUT, kmeans=1, dither=Image.Dither.NONE)


def png_bytes(image: Image.Image) -> bytes:
    """Return the image as a PNG file without any metadata."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def unused_name(category: str, source: str, taken: dict[str, bytes]) -> str:
    """Return category/name.png after the source's own name, numbered where that is taken."""
    stem = re.sub(r"[^a-z0-9]+", "-", Path(source).stem.lower()).strip("-") or "image"
    file, number = f"{category}/{stem}.png", 1
    while file in taken:
        number += 1
        file = f"{category}/{stem}-{number}.png"
    return file


def refuse_near_duplicates(hashes: dict[str, int]) -> None:
    """Check that no two hashes differ in 4 bits or fewer.

    One drawing on both sides of a split into training and test would make a search look
    better than it is.

    Raises:
        ValueError: some do; the message names every pair.
    """
    close = [
        f"{a} and {b}"
        for (a, bits_a), (b, bits_b) in combinations(hashes.items(), 2)
        if (bits_a ^ bits_b).bit_count() <= NEAR_BITS
    ]
    if close:
        raise ValueError(f"near duplicates: {', '.join(close)}")


def remove_listed(out: Path) -> None:
    """Remove the images that out's manifest lists, and nothing else."""
    manifest = out / MANIFEST
    if not manifest.exists():
        return
    for sample in json.loads(manifest.read_text(encoding="utf-8"))["images"]:
        (out / sample["file"]).unlink(missing_ok=True)


def write_files(out: Path, files: dict[str, bytes]) -> None:
    """Write every file under out, making the category folders."""
    for file, content in files.items():
        path = out / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def manifest_text(origin: dict[str, Any], samples: list[Sample]) -> str:
    """Return the manifest as JSON with one image a line, so that a change shows as one line."""
    counts: dict[str, int] = {}
    for sample in samples:
        counts[sample.category] = counts.get(sample.category, 0) + 1
    header = {**origin, "made_by": "demo/make_samples.py", "categories": counts}
    lines = ",\n".join(f"    {json.dumps(asdict(sample))}" for sample in samples)
    opening = json.dumps(header, indent=2, ensure_ascii=False).removesuffix("\n}")
    return f'{opening},\n  "images": [\n{lines}\n  ]\n}}\n'


if __name__ == "__main__":
    main()
