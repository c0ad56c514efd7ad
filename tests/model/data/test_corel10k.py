from pathlib import Path

import pytest
from PIL import Image

from cipherlens.crypto import CipherParameters
from cipherlens.model.data.corel10k import list_corel10k
from cipherlens.model.data.images import load_prepared
from cipherlens.model.errors import DataError


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).touch()


def test_the_class_is_the_number_over_a_hundred(tmp_path: Path) -> None:
    touch(tmp_path, "1.jpg", "0.jpg", "99.JPG", "100.jpeg", "250.jpg", "9999.jpg", "10.jpg")
    files = list_corel10k(tmp_path)
    names = [path.name for path in files.paths]
    assert names == ["0.jpg", "1.jpg", "10.jpg", "99.JPG", "100.jpeg", "250.jpg", "9999.jpg"]
    assert files.class_names == ("0", "1", "2", "99")
    assert files.labels.tolist() == [0, 0, 0, 0, 1, 2, 3]
    assert files.labels.dtype == "int64"


def test_what_is_no_picture_is_passed_over(tmp_path: Path) -> None:
    touch(tmp_path, "0.jpg", "100.jpg", "readme.txt", ".hidden.jpg", "Thumbs.db")
    (tmp_path / "more").mkdir()
    assert len(list_corel10k(tmp_path).paths) == 2


def test_the_pictures_are_prepared_like_any_others(
    tmp_path: Path, parameters: CipherParameters
) -> None:
    Image.new("RGB", (6, 4), (200, 0, 0)).save(tmp_path / "7.jpg")
    Image.new("RGB", (4, 6), (0, 200, 0)).save(tmp_path / "107.jpg")
    (tmp_path / "108.jpg").write_bytes(b"no picture")
    images = load_prepared(list_corel10k(tmp_path), parameters)
    assert images.names == ("7.jpg", "107.jpg")
    assert [image.shape for image in images.images] == [(16, 24, 3), (24, 16, 3)]
    assert [name for name, _ in images.skipped] == ["108.jpg"]


@pytest.mark.parametrize("name", ["cat.jpg", "007.jpg", "5.png", "-1.jpg", "٣.jpg", "1.5.jpg"])
def test_a_picture_that_is_called_otherwise(tmp_path: Path, name: str) -> None:
    touch(tmp_path, "0.jpg", "100.jpg", name)
    with pytest.raises(DataError, match=r"is not called N\.jpg"):
        list_corel10k(tmp_path)


def test_a_number_that_is_too_large(tmp_path: Path) -> None:
    touch(tmp_path, "1.jpg", "10000.jpg")
    with pytest.raises(DataError, match="has the number 10000, those of Corel10K go to 9999"):
        list_corel10k(tmp_path)


def test_a_number_that_comes_twice(tmp_path: Path) -> None:
    touch(tmp_path, "1.jpg", "1.jpeg", "100.jpg")
    with pytest.raises(DataError, match=r"has 1\.jpeg and 1\.jpg: one number"):
        list_corel10k(tmp_path)


@pytest.mark.parametrize(("names", "classes"), [([], 0), (["0.jpg", "5.jpg"], 1)])
def test_too_few_classes(tmp_path: Path, names: list[str], classes: int) -> None:
    touch(tmp_path, *names)
    with pytest.raises(DataError, match=f"has {len(names)} pictures N.jpg of {classes} classes"):
        list_corel10k(tmp_path)
