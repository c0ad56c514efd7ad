from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cipherlens.model.data import openclipart_list
from cipherlens.model.data.drawings import difference_hash
from cipherlens.model.data.openclipart import Drawing, short_digest
from cipherlens.model.data.openclipart_list import (
    by_class,
    list_bytes,
    make_list,
    readable,
    without_near,
)


def draw(path: Path, seed: int) -> None:
    """Write a picture that looks like none of another seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = np.random.default_rng(seed).integers(0, 256, (8, 9), dtype=np.uint8)
    Image.fromarray(cells).resize((90, 80), Image.Resampling.NEAREST).save(path)


def drawing(path: str, difference: int = 0) -> Drawing:
    sha256 = short_digest(path.encode())
    return Drawing(path=path, class_name="", part="", difference_hash=difference, sha256=sha256)


def test_what_cannot_be_used_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw(tmp_path / "a" / "good.png", 1)
    draw(tmp_path / "unsorted" / "other.png", 2)
    draw(tmp_path / "a" / "placeholder.png", 3)
    (tmp_path / "a" / "broken.png").write_bytes(b"no picture")
    Image.new("RGBA", (9, 9), (0, 0, 0, 0)).save(tmp_path / "a" / "invisible.png")
    Image.new("L", (1000, 500)).save(tmp_path / "a" / "huge.png")
    monkeypatch.setattr(openclipart_list, "MAX_PIXELS", 499_999)
    with Image.open(tmp_path / "a" / "placeholder.png") as image:
        monkeypatch.setattr(openclipart_list, "PLACEHOLDER_HASH", difference_hash(image))
    assert [each.path for each in readable(tmp_path)] == ["a/good.png"]


def test_of_pictures_that_look_alike_the_one_in_the_deepest_folder_stays(tmp_path: Path) -> None:
    draw(tmp_path / "a" / "1.png", 1)
    draw(tmp_path / "b" / "deep" / "copy.png", 1)
    draw(tmp_path / "c" / "other.png", 2)
    kept = without_near(readable(tmp_path))
    assert [each.path for each in kept] == ["b/deep/copy.png", "c/other.png"]


def test_pictures_look_alike_up_to_six_bits() -> None:
    seven, six = drawing("x", 0b1111111), drawing("y", 0b111111)
    assert without_near(iter([drawing("z"), seven, six])) == [drawing("z"), seven]


def test_a_class_is_a_folder_with_enough_pictures() -> None:
    paths = ["a/b/1", "a/b/deeper/2", "a/c/3", "a/4", "a/5", "d/e/6", "d/7", "f/8"]
    found = by_class([drawing(path) for path in paths], least=2)
    members = {name: sorted(each.path for each in each_of) for name, each_of in found.items()}
    assert members == {"a/b": ["a/b/1", "a/b/deeper/2"], "d": ["d/7", "d/e/6"]}


def test_a_class_gives_no_more_than_it_may_and_a_share_for_tests(tmp_path: Path) -> None:
    for number in range(14):
        draw(tmp_path / "a" / f"{number}.png", number)
        draw(tmp_path / "b" / f"{number}.png", 100 + number)
    found = make_list(tmp_path, least_in_class=10, most_in_class=10)
    parts = [(each.class_name, each.part) for each in found]
    assert parts.count(("a", "test")) == parts.count(("b", "test")) == 3
    assert parts.count(("a", "train")) == parts.count(("b", "train")) == 7
    assert [each.path for each in found] == sorted(each.path for each in found)
    assert list_bytes(found) == list_bytes(make_list(tmp_path, least_in_class=10, most_in_class=10))
