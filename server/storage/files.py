"""Files copied as they are summed."""

import hashlib
import os
from pathlib import Path
from typing import BinaryIO

from cipherlens.base import open_regular
from cipherlens.server.errors import SnapshotError

_PIECE_BYTES = 2**20


def copied(source: Path, target: Path) -> tuple[int, str]:
    """Copy a file to disk, as one of this user's alone; return its size and SHA-256 in hex.

    Raises SnapshotError if it cannot be read; OSError if the copy cannot be made, or is there.
    """
    with opened(source) as old, target.open("xb") as new:
        os.fchmod(new.fileno(), 0o600)
        found = summed(old, new)
        new.flush()
        os.fsync(new.fileno())
    return found


def summed(file: BinaryIO, copy: BinaryIO | None = None) -> tuple[int, str]:
    """Return the size and SHA-256 in hex of what is read, and write it to the copy, if any."""
    size, sha256 = 0, hashlib.sha256()
    while data := file.read(_PIECE_BYTES):
        size += len(data)
        sha256.update(data)
        if copy is not None:
            copy.write(data)
    return size, sha256.hexdigest()


def opened(path: Path) -> BinaryIO:
    """Return a regular file, open to be read. Raises SnapshotError."""
    try:
        return open_regular(path)
    except OSError as error:
        raise SnapshotError(f"{path} cannot be read: {error.strerror}") from error
