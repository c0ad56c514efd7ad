from pathlib import Path

import pytest
from PIL import Image

from cipherlens.crypto import CipherParameters
from cipherlens.model.data.data_spec import DataKind, DataSpec, load_data, parse_data_spec
from cipherlens.model.errors import DataError


@pytest.mark.parametrize(
    ("text", "kind", "path"),
    [
        ("folder:pictures/a b", DataKind.FOLDER, "pictures/a b"),
        ("fashion-mnist:/data/f", DataKind.FASHION_MNIST, "/data/f"),
        ("corel10k:./c", DataKind.COREL10K, "c"),
        ("openclipart:/data/o", DataKind.OPENCLIPART, "/data/o"),
        ("/data/pictures", DataKind.FOLDER, "/data/pictures"),
        ("pictures", DataKind.FOLDER, "pictures"),
        ("./odd:name", DataKind.FOLDER, "odd:name"),
        ("folder:odd:name", DataKind.FOLDER, "odd:name"),
    ],
)
def test_a_kind_and_a_path(text: str, kind: DataKind, path: str) -> None:
    assert parse_data_spec(text) == DataSpec(kind=kind, path=Path(path))


@pytest.mark.parametrize("text", ["mnist:/data", "Folder:/data", "FASHION-MNIST:x"])
def test_an_unknown_kind(text: str) -> None:
    with pytest.raises(
        ValueError, match="pictures:PATH, fashion-mnist:PATH, corel10k:PATH, openclipart:PATH, got"
    ):
        parse_data_spec(text)


@pytest.mark.parametrize("text", ["", "folder:", "corel10k:"])
def test_a_path_that_is_missing(text: str) -> None:
    with pytest.raises(ValueError, match="needs a path"):
        parse_data_spec(text)


def test_each_kind_is_read_its_own_way(
    tmp_path: Path, folder: Path, parameters: CipherParameters
) -> None:
    seen: list[tuple[int, int]] = []
    images = load_data(
        DataSpec(kind=DataKind.FOLDER, path=folder),
        parameters,
        lambda done, total: seen.append((done, total)),
    )
    assert images.class_names == ("blue", "green", "red")
    assert seen[-1] == (30, 30)
    for number in (3, 300):
        Image.new("RGB", (6, 4)).save(tmp_path / f"{number}.jpg")
    corel = load_data(DataSpec(kind=DataKind.COREL10K, path=tmp_path), parameters)
    assert corel.class_names == ("0", "3")
    with pytest.raises(DataError, match="is not Fashion-MNIST"):
        load_data(DataSpec(kind=DataKind.FASHION_MNIST, path=tmp_path), parameters)
    with pytest.raises(DataError, match="is not openclipart-png"):
        load_data(DataSpec(kind=DataKind.OPENCLIPART, path=tmp_path), parameters)


@pytest.mark.parametrize("kind", list(DataKind))
def test_a_path_that_is_no_folder(
    tmp_path: Path, parameters: CipherParameters, kind: DataKind
) -> None:
    (tmp_path / "file").touch()
    for name in ("none", "file"):
        with pytest.raises(DataError, match=f"{name} is not a folder"):
            load_data(DataSpec(kind=kind, path=tmp_path / name), parameters)
