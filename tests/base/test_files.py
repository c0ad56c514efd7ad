"""Files: what a crash leaves, what stays as it was, and what is not read."""

import errno
import os
import stat

import pytest

from cipherlens.base import (
    files,
    make_folder,
    open_regular,
    read_regular,
    replace_file,
    write_private,
)


def test_a_new_file_may_be_given_a_mode_from_its_beginning(tmp_path):
    replace_file(tmp_path / "secret", b"x", new_mode=0o600)
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_a_new_file_has_the_usual_mode_and_a_replaced_one_keeps_its_own(tmp_path):
    path, plain = tmp_path / "private", tmp_path / "plain"
    plain.touch()
    replace_file(path, b"one")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
    path.chmod(0o600)
    replace_file(path, b"two, ", b"joined")
    assert path.read_bytes() == b"two, joined"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_folder_that_does_not_sync_is_told_apart_from_a_file_that_was_not_written(
    tmp_path, monkeypatch
):
    def fail(_folder):
        raise OSError(errno.EIO, "Input/output error")

    path = tmp_path / "file"
    monkeypatch.setattr(files, "sync_folder", fail)
    with pytest.raises(OSError, match="was written, but a crash may undo it") as caught:
        replace_file(path, b"new")
    assert (caught.value.filename, caught.value.errno) == (str(path), errno.EIO)
    assert path.read_bytes() == b"new"


def test_a_regular_file_is_read_also_through_a_link(tmp_path):
    (tmp_path / "file").write_bytes(b"123")
    (tmp_path / "link").symlink_to("file")
    assert read_regular(tmp_path / "link", 3) == b"123"
    with open_regular(tmp_path / "file") as file:
        assert file.read() == b"123"


def test_no_more_than_the_limit_is_read(tmp_path):
    (tmp_path / "file").write_bytes(b"1234")
    with pytest.raises(OSError, match="more than the limit of 3 bytes"):
        read_regular(tmp_path / "file", 3)


def test_what_may_never_end_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name in ("pipe", "zero"):
        with pytest.raises(OSError, match="not a regular file"):
            read_regular(tmp_path / name, 100)
    with pytest.raises(IsADirectoryError):
        read_regular(tmp_path, 100)


def test_a_folder_is_made_with_those_above_it_and_only_it_has_the_mode(tmp_path):
    make_folder(tmp_path / "a" / "b", 0o700)
    (tmp_path / "plain").mkdir()
    modes = [stat.S_IMODE(each.stat().st_mode) for each in (tmp_path / "plain", tmp_path / "a")]
    assert modes[0] == modes[1]
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700
    make_folder(tmp_path / "a" / "b", 0o755)
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700


def test_what_is_no_folder_is_not_made_one(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises((FileExistsError, NotADirectoryError)):
            make_folder(path)


def test_a_private_file_is_new_and_its_own(tmp_path):
    write_private(tmp_path / "secret", b"one")
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        write_private(tmp_path / "secret", b"two")
    assert (tmp_path / "secret").read_bytes() == b"one"
