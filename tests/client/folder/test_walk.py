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
    return {skipped.name: skipped.reason for skipped in walk.skipped}


def test_ids_are_paths_in_order(tmp_path: Path) -> None:
    touch(tmp_path, "b.png", "a.JPG", "sub/c.webp", "sub/deeper/d.tif")
    walk = Walk(tmp_path, 512)
    assert [file.name for file in walk.files] == [
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
    assert [file.name for file in walk.files] == ["real/a.png"]
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
        "'line\\nbreak.png'": "has a name that is not UTF-8, or holds control characters",
        "'\\udcff.png'": "has a name that is not UTF-8, or holds control characters",
    }


@pytest.mark.parametrize(
    "name",
    [
        "Screenshot 9.41.00\u202fAM.png",  # as macOS names them
        "a\u00a0b.png",
        "\N{WOMAN}\u200d\N{MICROSCOPE}.png",
        "flag \N{WAVING BLACK FLAG}\U000e0067\U000e0062\U000e007f.png",
    ],
)
def test_names_that_people_have(tmp_path: Path, name: str) -> None:
    touch(tmp_path, name)
    walk = Walk(tmp_path, 512)
    assert [file.name for file in walk.files] == [name]
    assert walk.skipped == []


def test_names_are_in_one_form_of_unicode(tmp_path: Path) -> None:
    touch(tmp_path, "u\u0308.png")
    walk = Walk(tmp_path, 512)
    assert [file.name for file in walk.files] == ["\u00fc.png"]
    assert walk.files[0].path.read_bytes() == b"x"
    touch(tmp_path, "\u00fc.png")
    both = Walk(tmp_path, 512)
    assert [file.name for file in both.files] == ["\u00fc.png"]
    assert "name of another file" in both.skipped[0].reason


def test_what_is_passed_over_covers_what_may_be_inside(tmp_path: Path) -> None:
    touch(tmp_path, "here.png", "elsewhere/x.png", "notes.txt")
    (tmp_path / "moved").symlink_to(tmp_path / "elsewhere")
    walk = Walk(tmp_path, 512)
    for name in ("here.png", "notes.txt", "moved", "moved/a.png", "moved/deep/b.png"):
        assert walk.covers(name), name
    for name in ("gone.png", "elsewhere/y.png", "moved.png", "move"):
        assert not walk.covers(name), name


def test_a_link_to_a_picture_is_a_picture(tmp_path: Path) -> None:
    touch(tmp_path, "a.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "a.png")
    assert [file.name for file in Walk(tmp_path, 512).files] == ["a.png", "b.png"]


def test_what_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError, match="absent is not a folder"):
        Walk(tmp_path / "absent", 512)
