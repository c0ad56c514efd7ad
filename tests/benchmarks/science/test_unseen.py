import csv
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from benchmarks.harness.errors import NotHereError
from benchmarks.science import unseen
from cipherlens.model.data.openclipart import read_list


def lines() -> list[dict[str, str]]:
    with unseen.LIST.open(newline="") as file:
        return list(csv.DictReader(file))


def test_no_judged_drawing_is_of_a_class_that_trains() -> None:
    trained = {each.class_name for each in read_list()}
    judged = [each for each in lines() if each["set"].startswith("openclipart-")]
    assert len({each["path"] for each in judged}) == len(judged)
    for each in judged:
        assert each["path"].startswith(each["class"])
        assert each["class"] not in trained
        assert each["class"].split("/")[0] not in trained


def test_validation_and_test_have_no_class_in_common() -> None:
    classes = [
        {each["class"] for each in lines() if each["set"] == f"openclipart-{part}"}
        for part in ("validation", "test")
    ]
    assert all(classes)
    assert not classes[0] & classes[1]


@pytest.mark.parametrize("name", ["openclipart-test", "icons"])
def test_every_class_has_pictures_to_find(name: str) -> None:
    counts = Counter(each["class"] for each in lines() if each["set"] == name)
    assert min(counts.values()) >= 8


def test_variants_are_the_picture_and_parts_of_it(tmp_path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    path = tmp_path / "photograph.png"
    Image.fromarray(pixels).save(path)
    first, *others = unseen._variants(path, np.random.default_rng(7))
    assert np.array_equal(np.asarray(first), pixels)
    assert len(others) == unseen.VARIANTS - 1
    again = list(unseen._variants(path, np.random.default_rng(7)))[1:]
    for one, other in zip(others, again, strict=True):
        assert np.array_equal(np.asarray(one), np.asarray(other))
        assert one.mode == "RGB"


def test_a_missing_package_is_named(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(unseen, "OXYGEN", tmp_path)
    with pytest.raises(NotHereError, match=str(tmp_path)):
        unseen._listed("icons", unseen.OXYGEN)


def test_no_judged_picture_hides_itself(tmp_path, monkeypatch) -> None:
    from types import SimpleNamespace

    from cipherlens.crypto import prepare

    monkeypatch.setenv("OPENCLIPART", str(tmp_path))
    size = SimpleNamespace(height=16, width=24)
    pictures = []
    for number in range(4):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 60, 3), dtype=np.uint8)
        pictures.append(Image.fromarray(pixels))
        pictures[-1].save(tmp_path / f"{number}.png")
    judged = [prepare(pictures[0], size)]
    found = unseen.others(size, 5, judged)
    assert len(found) == 5  # three whole pictures, then crops
    assert len({each.tobytes() for each in [*found, *judged]}) == 6
