import os
from pathlib import Path

import pytest

from cipherlens.client.folder.walk import Walk


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def reasons(walk: Walk) -> dict[str, str]:
    return {skipped.item_id: skipped.reason for skipped in walk.skipped}


def test_ids_are_paths_in_order(tmp_path: Path) -> None:
    touch(tmp_path, "b.png", "a.JPG", "sub/c.webp", "sub/deeper/d.tif")
    walk = Walk(tmp_path, 512)
    assert [file.item_id for file in walk.files] == [
        "a.JPG",
        "b.png",
        "sub/c.webp",
        "sub/deeper/d.tif",
    ]
    assert walk.files[0].size_bytes == 1
    assert walk.complete
    assert walk.skipped == []


def test_hidden_things_are_passed_over_without_a_word(tmp_path: Path) -> None:
    touch(tmp_path, ".hidden.png", ".git/x.png", "sub/.DS_Store")
    walk = Walk(tmp_path, 512)
    assert (walk.files, walk.skipped) == ([], [])


def test_what_is_no_picture_gets_a_reason(tmp_path: Path) -> None:
    touch(tmp_path, "notes.txt", "real/a.png", "y" * 90 + ".png")
    (tmp_path / "linked").symlink_to(tmp_path / "real")
    (tmp_path / "nowhere.png").symlink_to(tmp_path / "absent.png")
    os.mkfifo(tmp_path / "pipe.png")
    walk = Walk(tmp_path, 64)
    assert [file.item_id for file in walk.files] == ["real/a.png"]
    assert reasons(walk) == {
        "notes.txt": "is not a picture file by its name",
        "linked": "is a link to a folder, which is not followed",
        "nowhere.png": "cannot be read: No such file or directory",
        "pipe.png": "is not a regular file",
        "y" * 90 + ".png": "has a path of 94 bytes, the limit is 64",
    }


def test_names_that_cannot_travel(tmp_path: Path) -> None:
    touch(tmp_path, "line\nbreak.png")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png")).write_bytes(b"x")
    walk = Walk(tmp_path, 512)
    assert walk.files == []
    assert reasons(walk) == {
        "'line\\nbreak.png'": "has a name that cannot be printed",
        "'\\udcff.png'": "has a name that is not UTF-8",
    }


def test_a_link_to_a_picture_is_a_picture(tmp_path: Path) -> None:
    touch(tmp_path, "a.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "a.png")
    assert [file.item_id for file in Walk(tmp_path, 512).files] == ["a.png", "b.png"]


def test_what_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError, match="absent is not a folder"):
        Walk(tmp_path / "absent", 512)
