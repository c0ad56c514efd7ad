import os
from collections import Counter, defaultdict
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cipherlens.crypto import CipherParameters
from cipherlens.model.config import SplitConfig
from cipherlens.model.data import openclipart
from cipherlens.model.data.images import split_images
from cipherlens.model.data.openclipart import Drawing, load_openclipart, read_list, short_digest
from cipherlens.model.data.openclipart_list import NEAR_BITS, list_bytes, make_list
from cipherlens.model.errors import DataError

INSTALLED = openclipart.FOLDER.is_dir()


@pytest.fixture(scope="module")
def drawings() -> tuple[Drawing, ...]:
    return read_list()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small package and its list: two classes of ten noisy pictures."""
    generator = np.random.default_rng(0)
    for folder in ("one/a", "two"):
        (tmp_path / folder).mkdir(parents=True)
        for number in range(10):
            pixels = generator.integers(0, 256, (20, 30, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / f"{number}.png")
    listed = tuple(make_list(tmp_path, least_in_class=10))
    monkeypatch.setattr(openclipart, "read_list", lambda: listed)
    return tmp_path


def test_no_two_listed_drawings_look_alike(drawings: tuple[Drawing, ...]) -> None:
    hashes = np.array([each.difference_hash for each in drawings], dtype=np.uint64)
    distances = np.bitwise_count(hashes[:, None] ^ hashes)
    assert distances[~np.eye(len(hashes), dtype=bool)].min() > NEAR_BITS


def test_each_class_has_enough_drawings_and_its_share_of_tests(
    drawings: tuple[Drawing, ...],
) -> None:
    parts = defaultdict(Counter)
    for each in drawings:
        parts[each.class_name][each.part] += 1
    assert len(parts) == 25
    for counts in parts.values():
        assert counts.keys() == {"train", "test"}
        assert 40 <= counts.total() <= 150
        assert counts["test"] == round(0.3 * counts.total())


def test_a_drawing_lies_in_the_folder_of_its_class_and_is_listed_once(
    drawings: tuple[Drawing, ...],
) -> None:
    assert len({each.path for each in drawings}) == len(drawings) == 1755
    assert all(each.path.startswith(f"{each.class_name}/") for each in drawings)
    names = {each.class_name for each in drawings}
    assert not any(
        a.startswith(f"{b}/") or b.startswith(f"{a}/") for a, b in combinations(names, 2)
    )


def test_the_list_is_written_as_it_is_read(drawings: tuple[Drawing, ...]) -> None:
    stored = Path(openclipart.__file__).with_name(openclipart.LIST).read_bytes()
    assert list_bytes(list(drawings)) == stored


def test_the_makers_test_part_is_held_out(package: Path, parameters: CipherParameters) -> None:
    seen: list[tuple[int, int]] = []
    images = load_openclipart(package, parameters, lambda done, total: seen.append((done, total)))
    assert images.class_names == ("one/a", "two")
    assert np.bincount(images.labels).tolist() == [10, 10]
    assert {image.shape for image in images.images} == {(16, 24, 3)}
    assert seen == [(number, 20) for number in range(1, 21)]
    parts = split_images(images, SplitConfig(validation=0.15, seed=3))
    listed = {each.path for each in openclipart.read_list() if each.part == "test"}
    assert {images.names[index] for index in parts.test} == listed
    assert (len(parts.train), len(parts.validation), len(parts.test)) == (12, 2, 6)


def test_another_version_of_the_package_is_noticed(
    package: Path, parameters: CipherParameters
) -> None:
    Image.new("RGB", (5, 5)).save(package / "two" / "4.png")
    with pytest.raises(DataError, match=r"two/4.png is not the picture of openclipart-png"):
        load_openclipart(package, parameters)
    (package / "two" / "4.png").unlink()
    with pytest.raises(DataError, match=r"is not openclipart-png .* it lacks two/4.png"):
        load_openclipart(package, parameters)


def test_a_listed_file_that_is_no_picture(
    package: Path, parameters: CipherParameters, monkeypatch: pytest.MonkeyPatch
) -> None:
    (package / "two" / "4.png").write_bytes(b"no picture")
    changed = tuple(
        replace(each, sha256=short_digest(b"no picture")) if each.path == "two/4.png" else each
        for each in openclipart.read_list()
    )
    monkeypatch.setattr(openclipart, "read_list", lambda: changed)
    with pytest.raises(DataError, match=r"two/4.png: it is not a picture"):
        load_openclipart(package, parameters)


@pytest.mark.slow
@pytest.mark.skipif(not INSTALLED, reason="the package openclipart-png is not installed")
def test_the_installed_package_gives_the_same_list() -> None:
    stored = Path(openclipart.__file__).with_name(openclipart.LIST).read_bytes()
    assert list_bytes(make_list(openclipart.FOLDER)) == stored


@pytest.mark.skipif(not INSTALLED, reason="the package openclipart-png is not installed")
def test_the_installed_package_is_the_one_that_was_listed(drawings: tuple[Drawing, ...]) -> None:
    for drawing in drawings[::50]:
        data = (openclipart.FOLDER / os.fsdecode(drawing.path)).read_bytes()
        assert short_digest(data) == drawing.sha256, drawing.path
