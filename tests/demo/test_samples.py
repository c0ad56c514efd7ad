"""The sample images: what the manifest promises, and what the script that made them does."""

import hashlib
import importlib.util
import json
import sys
import tomllib
from collections import Counter
from itertools import combinations
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from PIL import Image, ImageDraw

DEMO = Path(__file__).resolve().parents[2] / "demo"
SAMPLES = DEMO / "samples"


def load_script() -> ModuleType:
    """Return demo/make_samples.py as a module; the folder is not a package."""
    spec = importlib.util.spec_from_file_location("make_samples", DEMO / "make_samples.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up by name
    spec.loader.exec_module(module)
    return module


make_samples = load_script()


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((SAMPLES / "MANIFEST.json").read_text(encoding="utf-8"))
    return content


def test_manifest_lists_exactly_the_files_there(manifest: dict[str, Any]) -> None:
    listed = [image["file"] for image in manifest["images"]]
    there = [path.relative_to(SAMPLES).as_posix() for path in SAMPLES.glob("*/*")]
    assert sorted(listed) == sorted(there)


def test_every_file_has_the_digest_and_the_size_of_its_line(manifest: dict[str, Any]) -> None:
    for line in manifest["images"]:
        path = SAMPLES / line["file"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == line["sha256"], line["file"]
        with Image.open(path) as image:
            image.load()
            assert image.size == (line["width"], line["height"]), line["file"]
        assert max(image.size) <= 192
        assert path.parent.name == line["category"]


def test_set_is_large_balanced_and_small_on_disk(manifest: dict[str, Any]) -> None:
    counts = Counter(line["category"] for line in manifest["images"])
    assert counts == manifest["categories"]
    assert len(counts) >= 12
    assert counts.total() >= 500
    assert min(counts.values()) >= 30
    size_bytes = sum(path.stat().st_size for path in SAMPLES.rglob("*") if path.is_file())
    assert size_bytes <= 6_000_000


def test_no_two_images_are_near_duplicates(manifest: dict[str, Any]) -> None:
    hashes = {}
    for line in manifest["images"]:
        with Image.open(SAMPLES / line["file"]) as image:
            hashes[line["file"]] = make_samples.difference_hash(image)
    close = [(a, b) for a, b in combinations(hashes, 2) if (hashes[a] ^ hashes[b]).bit_count() <= 4]
    assert close == []


def test_manifest_agrees_with_the_list_and_names_the_licence(manifest: dict[str, Any]) -> None:
    listing = tomllib.loads((DEMO / "samples.toml").read_text(encoding="utf-8"))
    sources: dict[str, list[str]] = {}
    for line in manifest["images"]:
        sources.setdefault(line["category"], []).append(line["source"])
    assert {name: sorted(listed) for name, listed in sources.items()} == {
        name: sorted(listed) for name, listed in listing["categories"].items()
    }
    assert listing["origin"].items() <= manifest.items()
    assert "Public Domain Dedication" in manifest["licence"]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder of three drawings: with alpha and margins, with a palette, and a large one."""
    folder = tmp_path / "png"
    (folder / "a").mkdir(parents=True)
    disc = Image.new("RGBA", (90, 60), (0, 0, 0, 0))
    ImageDraw.Draw(disc).ellipse((20, 10, 59, 49), fill=(200, 30, 30, 255))
    disc.save(folder / "a" / "Red Disc!.png")
    ramp = Image.linear_gradient("L").rotate(90).convert("RGB")
    ramp.quantize(64).save(folder / "a" / "ramp.png")
    wide = Image.new("RGB", (1000, 500), "white")
    ImageDraw.Draw(wide).rectangle((100, 100, 500, 400), fill="blue")
    wide.save(folder / "wide.png")
    return folder


def write_listing(path: Path, sources: list[str]) -> Path:
    path.write_text(
        f'[origin]\npackage = "drawings"\n\n[categories]\nthings = {json.dumps(sources)}\n',
        encoding="utf-8",
    )
    return path


ALL = ["a/Red Disc!.png", "a/ramp.png", "wide.png"]


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_second_run_writes_identical_bytes(package: Path, tmp_path: Path) -> None:
    listing = write_listing(tmp_path / "list.toml", ALL)
    make_samples.make_samples(package, listing, tmp_path / "first")
    make_samples.make_samples(package, listing, tmp_path / "second")
    first = contents(tmp_path / "first")
    assert first == contents(tmp_path / "second")
    make_samples.make_samples(package, listing, tmp_path / "first")
    assert first == contents(tmp_path / "first")
    made = {"things/red-disc.png", "things/ramp.png", "things/wide.png"}
    assert set(first) == {"MANIFEST.json"} | made


def test_picture_is_trimmed_put_on_white_and_scaled_down(package: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    make_samples.make_samples(package, write_listing(tmp_path / "list.toml", ALL), out)
    with Image.open(out / "things" / "red-disc.png") as disc:
        assert disc.size == (40, 40)  # never enlarged
        colours = disc.convert("RGB")
        assert colours.getpixel((0, 0)) == (255, 255, 255)
        assert colours.getpixel((20, 20)) == (200, 30, 30)
    with Image.open(out / "things" / "wide.png") as wide:
        assert wide.size == (192, 96)  # opaque white is part of the picture


def test_shorter_list_takes_its_images_away_and_leaves_other_files(
    package: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    make_samples.make_samples(package, write_listing(tmp_path / "list.toml", ALL), out)
    (out / "README.md").write_text("mine", encoding="utf-8")
    make_samples.make_samples(package, write_listing(tmp_path / "list.toml", ALL[:1]), out)
    assert set(contents(out)) == {"MANIFEST.json", "README.md", "things/red-disc.png"}


def test_near_duplicates_are_refused_and_change_nothing(package: Path, tmp_path: Path) -> None:
    with Image.open(package / "wide.png") as image:
        image.resize((800, 400)).save(package / "again.png")
    out = tmp_path / "out"
    listing = write_listing(tmp_path / "list.toml", ["wide.png", "again.png"])
    with pytest.raises(ValueError, match=r"near duplicates: things/again.png and things/wide.png"):
        make_samples.make_samples(package, listing, out)
    assert not out.exists()


def test_same_name_in_two_folders_is_numbered(package: Path, tmp_path: Path) -> None:
    (package / "wide.png").rename(package / "ramp.png")
    listing = write_listing(tmp_path / "list.toml", ["a/ramp.png", "ramp.png"])
    made = make_samples.make_samples(package, listing, tmp_path / "out")
    assert [sample.file for sample in made] == ["things/ramp.png", "things/ramp-2.png"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[origin]\n", r"no table \[categories\]"),
        ("[categories]\n", r"no table \[origin\]"),
        ('[origin]\n[categories]\na = ["x.png"]\nb = ["x.png"]\n', "lists x.png twice"),
    ],
)
def test_malformed_list_is_refused(text: str, message: str, tmp_path: Path) -> None:
    listing = tmp_path / "list.toml"
    listing.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        make_samples.read_listing(listing)


def test_invisible_picture_is_refused(package: Path, tmp_path: Path) -> None:
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(package / "nothing.png")
    listing = write_listing(tmp_path / "list.toml", ["nothing.png"])
    with pytest.raises(ValueError, match="transparent all over"):
        make_samples.make_samples(package, listing, tmp_path / "out")
