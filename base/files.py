"""Files, written so that a crash leaves the old bytes or the new, and read within bounds."""

import errno
import os
import secrets
import stat
from contextlib import suppress
from functools import reduce
from operator import or_
from pathlib import Path
from typing import BinaryIO


def replace_file(path: Path, *pieces: bytes | memoryview, new_mode: int = 0o666) -> None:
    """Put pieces at path, joined, so that a crash leaves the old bytes or the new, never a mix.

    A file that is there keeps its mode; a new one gets `new_mode`, less the umask.

    Raises:
        OSError: it cannot be written, and what was there still is; or it was written, and its
            folder cannot be brought to disk, which the error says.
    """
    # A name of its own, opened only if new: nothing that is there is written over or followed.
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | open_flags("O_BINARY")
        with os.fdopen(os.open(part, flags, new_mode), "wb") as file:
            if path.is_file():
                part.chmod(stat.S_IMODE(path.stat().st_mode))
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)  # the commit point
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_replaced(path)


def write_private(path: Path, data: bytes) -> None:
    """Put a new file on disk that nobody else may read.

    Raises:
        FileExistsError: there is one of that name.
        OSError: it cannot be written.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | open_flags("O_CLOEXEC", "O_BINARY")
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)


def sync_replaced(path: Path) -> None:
    """Put the entry of a file that was just replaced on disk.

    Raises:
        OSError: it cannot be; says that the new file is there all the same.
    """
    try:
        sync_folder(path.parent)
    except OSError as error:
        reason = f"was written, but a crash may undo it: its folder does not sync: {error.strerror}"
        raise OSError(error.errno, reason, str(path)) from error


def sync_folder(folder: Path) -> None:
    """Put the folder's entries on disk: a renamed file is there after a crash.

    Windows opens no folders, and its file system sees to that by itself.
    """
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """Have a folder, and those above it: what is made here is there after a crash.

    A new one gets `mode`, less the umask. One that is there may have been made by who was killed
    before he could put it on disk: that is done again, where we may read the folder above it.

    Raises:
        OSError: it cannot be made, or is a file.
    """
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(mode=mode, parents=True, exist_ok=True)
    for each in missing:
        sync_folder(each.parent)
    if not missing:
        with suppress(PermissionError):
            sync_folder(folder.parent)


def open_regular(path: Path) -> BinaryIO:
    """Return a regular file, open to be read; links to one are followed.

    Raises:
        OSError: it cannot be opened, or is a pipe, a device, a socket or a folder, which might
            never end, or never begin.
    """
    # Not blocking: a pipe that nobody writes to would else hold us before we can look at it.
    flags = os.O_RDONLY | open_flags("O_NONBLOCK", "O_BINARY")
    file = os.fdopen(os.open(path, flags), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "is not a regular file", str(path))
    return file


def read_regular(path: Path, max_bytes: int) -> bytes:
    """Return the bytes of a regular file.

    Raises:
        OSError: it cannot be read, is none, or has more than max_bytes, of which no more are read.
    """
    with open_regular(path) as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise OSError(errno.EFBIG, f"has more than the limit of {max_bytes:,} bytes", str(path))
    return data


def open_flags(*names: str) -> int:
    """Return those flags of `os.open` that this platform has, together."""
    return reduce(or_, (getattr(os, name, 0) for name in names), 0)


def others_reach(status: os.stat_result) -> bool:
    """Return whether a file's mode lets group or others at it.

    False where modes say nothing of that, as on Windows: there the folder that it is in decides.
    """
    has_modes = hasattr(os, "geteuid")
    return has_modes and bool(status.st_mode & (stat.S_IRWXG | stat.S_IRWXO))
