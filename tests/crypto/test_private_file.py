"""Private files: who may read them, and what a crash leaves."""

import errno
import os
import stat

import pytest

from cipherlens.crypto.errors import KeyringChanged, KeyringError, KeyringPermissionError
from cipherlens.crypto.private_file import read_private, replace_private


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "private"
    replace_private(file, b"secret")
    return file


def test_a_written_file_is_0600_and_reads_back(path):
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_private(path, 6) == b"secret"


def test_the_mode_does_not_depend_on_the_umask(tmp_path):
    before = os.umask(0o277)
    try:
        replace_private(tmp_path / "private", b"secret")
    finally:
        os.umask(before)
    assert (tmp_path / "private").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o666])
def test_a_file_open_to_others_is_refused(path, mode):
    path.chmod(mode)
    with pytest.raises(KeyringPermissionError, match=f"has mode {mode:04o}"):
        read_private(path, 100)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_closed_to_others_is_read(path, mode):
    path.chmod(mode)
    assert read_private(path, 100) == b"secret"


def test_a_symbolic_link_is_refused(path, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(path)
    with pytest.raises(KeyringPermissionError, match="is a symbolic link"):
        read_private(link, 100)
    with pytest.raises(KeyringPermissionError, match="is a symbolic link"):
        replace_private(link, b"other")
    assert path.read_bytes() == b"secret"


def test_a_file_of_another_owner_is_refused(path, monkeypatch):
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(KeyringPermissionError, match=f"belongs to user {owner}, not to user"):
        read_private(path, 100)


def test_folders_and_pipes_are_refused(tmp_path):
    tmp_path.chmod(0o700)
    with pytest.raises(KeyringError):
        read_private(tmp_path, 100)
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(KeyringPermissionError, match="is not a regular file"):
        read_private(tmp_path / "pipe", 100)


def test_a_missing_file_is_a_keyring_error(tmp_path):
    with pytest.raises(KeyringError, match="cannot be read: No such file"):
        read_private(tmp_path / "missing", 100)


def test_a_long_file_is_refused(path):
    with pytest.raises(KeyringError, match="must be at most 5 bytes"):
        read_private(path, 5)


def test_a_missing_folder_is_a_keyring_error(tmp_path):
    with pytest.raises(KeyringError, match="cannot be written: No such file"):
        replace_private(tmp_path / "missing" / "private", b"secret")


def test_file_and_folder_have_reached_the_disk(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(
        os, "fsync", lambda file: synced.append(stat.S_IFMT(os.fstat(file).st_mode))
    )
    replace_private(tmp_path / "private", b"secret")
    assert synced == [stat.S_IFREG, stat.S_IFDIR]


def test_a_failed_write_leaves_the_old_file_and_no_part(path, monkeypatch):
    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(KeyringError, match="No space left"):
        replace_private(path, b"new", known=b"secret")
    assert path.read_bytes() == b"secret"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("known", [None, b"other"])
def test_a_file_that_is_not_what_was_known_is_left_alone(path, known):
    with pytest.raises(KeyringChanged):
        replace_private(path, b"new", known=known)
    assert path.read_bytes() == b"secret"
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_does_not_sync_is_told_apart_from_a_file_that_was_not_written(
    path, monkeypatch
):
    from cipherlens.base import files

    def fail(_folder):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(files, "sync_folder", fail)
    with pytest.raises(KeyringError, match="was written, but a crash may undo it") as caught:
        replace_private(path, b"newer!", known=b"secret")
    assert "cannot be written" not in str(caught.value)
    assert path.read_bytes() == b"newer!"
