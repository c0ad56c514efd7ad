import json
import os
import time
from pathlib import Path

import pytest

from cipherlens.client import Client, index_folder
from cipherlens.client.folder.seen import SeenFiles
from cipherlens.client.folder.walk import PictureFile, Walk
from cipherlens.client.manifests import ManifestFolder
from tests.client.conftest import noise

TAG = bytes(range(16))


def file_of(path: Path) -> PictureFile:
    (found,) = Walk(path.parent, 1000).files
    return found


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A file that was last changed a minute ago."""
    path = tmp_path / "pictures" / "a.png"
    path.parent.mkdir()
    path.write_bytes(b"one")
    age(path, 60)
    return path


def age(path: Path, seconds: float) -> None:
    when = time.time() - seconds
    os.utime(path, (when, when))


def test_a_file_is_known_as_long_as_size_and_time_stay(picture: Path, tmp_path: Path) -> None:
    record = tmp_path / "record" / "files"
    seen = SeenFiles(record, "way")
    assert seen.owner_tag(file_of(picture)) is None
    seen.note(file_of(picture), TAG)
    seen.keep()
    again = SeenFiles(record, "way")
    assert again.owner_tag(file_of(picture)) == TAG
    picture.write_bytes(b"longer")
    age(picture, 60)
    assert again.owner_tag(file_of(picture)) is None
    picture.write_bytes(b"two")
    assert again.owner_tag(file_of(picture)) is None


def test_a_file_that_has_just_changed_is_not_noted(picture: Path, tmp_path: Path) -> None:
    seen = SeenFiles(tmp_path / "files", "way")
    age(picture, 0)
    seen.note(file_of(picture), TAG)
    assert seen.owner_tag(file_of(picture)) is None


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"way": "way"}', '{"way": "way", "files": {"a.png": [1]}}', "null"]
)
def test_a_damaged_record_knows_nothing(picture: Path, tmp_path: Path, content: str) -> None:
    record = tmp_path / "files"
    record.write_text(content)
    assert SeenFiles(record, "way").owner_tag(file_of(picture)) is None


def test_one_of_another_way_knows_nothing(picture: Path, tmp_path: Path) -> None:
    seen = SeenFiles(tmp_path / "files", "sealed")
    seen.note(file_of(picture), TAG)
    seen.keep()
    assert SeenFiles(tmp_path / "files", "not sealed").owner_tag(file_of(picture)) is None


@pytest.fixture
def old(folder: Path) -> Path:
    """The five pictures, last changed a minute ago."""
    for path in folder.rglob("*.*"):
        age(path, 60)
    return folder


def test_what_looks_the_same_is_not_read(
    client: Client, photos: str, old: Path, tmp_path: Path
) -> None:
    by_time = tmp_path / "kept"
    assert index_folder(client, photos, old, by_time=by_time).indexed == 5
    path, when = old / "b.png", (old / "b.png").stat().st_mtime_ns
    path.write_bytes(bytes(path.stat().st_size))  # no picture any more, of the same size and time
    os.utime(path, ns=(when, when))
    noise(9).save(old / "new.png")
    report = index_folder(client, photos, old, by_time=by_time)
    assert (report.indexed, report.unchanged, report.skipped) == (1, 5, ())
    read = index_folder(client, photos, old)
    assert [each.name for each in read.skipped] == ["b.png"]


def test_the_server_must_still_have_it(
    client: Client, photos: str, old: Path, tmp_path: Path
) -> None:
    by_time = tmp_path / "kept"
    index_folder(client, photos, old, by_time=by_time)
    ids = [item.item_id for item in client.list_items(photos)]
    assert client.delete(photos, ids[:2]) == 2
    report = index_folder(client, photos, old, by_time=by_time)
    assert (report.indexed, report.unchanged) == (2, 3)


def test_what_is_stored_otherwise_is_read(
    client: Client, photos: str, old: Path, tmp_path: Path
) -> None:
    by_time, signed = tmp_path / "kept", ManifestFolder(tmp_path / "signed")
    index_folder(client, photos, old, by_time=by_time)
    assert index_folder(client, photos, old, by_time=by_time, seal=False).indexed == 5
    index_folder(client, photos, old, by_time=by_time, seal=False)
    # What no manifest lists is sent again, whatever the files look like.
    told = index_folder(client, photos, old, by_time=by_time, seal=False, manifests=signed)
    assert told.indexed == 5
    (record,) = by_time.iterdir()
    assert len(json.loads(record.read_text())["files"]) == 5


def test_a_dry_run_keeps_no_record(client: Client, photos: str, old: Path, tmp_path: Path) -> None:
    index_folder(client, photos, old, by_time=tmp_path / "kept", dry_run=True)
    assert not (tmp_path / "kept").exists()
