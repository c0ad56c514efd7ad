"""Files that only their owner may read."""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cipherlens.base import open_flags, others_reach, sync_replaced
from cipherlens.crypto.errors import KeyringChanged, KeyringError, KeyringPermissionError

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None  # type: ignore[assignment]


def read_private(path: Path, max_size: int) -> bytes:
    """Return the bytes of a file that nobody but this user can read or replace.

    Raises:
        KeyringPermissionError: it is a symbolic link, not a regular file, of another owner, or
            open to group or others.
        KeyringError: it cannot be read, or is longer than max_size bytes.
    """
    if path.is_symlink():
        raise KeyringPermissionError(f"{path} is a symbolic link; name the file itself")
    try:
        # Not following links here closes the gap between the check above and the opening; not
        # blocking keeps a pipe under that name from holding us.
        flags = os.O_RDONLY | open_flags("O_BINARY", "O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK")
        descriptor = os.open(path, flags)
        with os.fdopen(descriptor, "rb") as file:
            _check_private(path, os.fstat(file.fileno()))
            data = file.read(max_size + 1)
    except OSError as error:
        raise KeyringError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > max_size:
        raise KeyringError(f"{path} must be at most {max_size} bytes")
    return data


def replace_private(path: Path, data: bytes, *, known: bytes | None = None) -> None:
    """Put data at path, mode 0600, so that a crash leaves the old bytes or the new.

    Args:
        path: the file.
        data: its new bytes.
        known: the bytes that the caller takes to be there, if the file is; None for no file.

    Raises:
        KeyringChanged: something else is there.
        KeyringPermissionError: path is a symbolic link.
        KeyringError: the folder cannot be written.
    """
    if path.is_symlink():
        raise KeyringPermissionError(f"{path} is a symbolic link; name the file itself")
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        _write_synced(part, data)
        with _held(path):
            _check_known(path, known)
            part.replace(path)  # the commit point
    except OSError as error:
        raise KeyringError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
    try:
        sync_replaced(path)
    except OSError as error:
        raise KeyringError(f"{path} {error.strerror}") from error


def _check_private(path: Path, status: os.stat_result) -> None:
    """Raise unless an open file is regular, ours, and closed to everybody else.

    On Windows a file says nothing of that in a way that could be asked here.
    """
    if not stat.S_ISREG(status.st_mode):
        raise KeyringPermissionError(f"{path} is not a regular file")
    if hasattr(os, "geteuid") and status.st_uid != os.geteuid():
        raise KeyringPermissionError(
            f"{path} belongs to user {status.st_uid}, not to user {os.geteuid()}"
        )
    if others_reach(status):
        mode = stat.S_IMODE(status.st_mode)
        raise KeyringPermissionError(
            f"{path} has mode {mode:04o}, which lets others at it; make it 0600"
        )


def _check_known(path: Path, known: bytes | None) -> None:
    """Raise KeyringChanged if other bytes than the known ones are at path; no file is no harm."""
    if not path.exists():
        return
    if known is None:
        raise KeyringChanged(f"{path} is there already; read it and add to it, or name another")
    if path.read_bytes() != known:
        raise KeyringChanged(f"{path} was changed by another program meanwhile; read it again")


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Keep other programs of this package from replacing a file meanwhile."""
    with _held_folder(path.parent) if fcntl is not None else _held_beside(path):
        yield


@contextmanager
def _held_folder(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder: nothing is left behind."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # Some network file systems lock no folders; there the check alone has to do.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _held_beside(path: Path) -> Iterator[None]:
    """Hold the lock of a file beside one, where folders have no locks."""
    from filelock import FileLock

    with FileLock(path.with_name(f".{path.name}.lock")):
        yield


def _write_synced(path: Path, data: bytes) -> None:
    """Write a new file of mode 0600, whatever the umask, and wait for the disk."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    flags |= open_flags("O_BINARY", "O_CLOEXEC", "O_NOFOLLOW")
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        if hasattr(os, "fchmod"):
            os.fchmod(file.fileno(), 0o600)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
