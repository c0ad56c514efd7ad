"""Writing files so that a crash leaves the old bytes or the new."""

import os
import secrets
from pathlib import Path


def replace_file(path: Path, *pieces: bytes | memoryview) -> None:
    """Put pieces at path, joined, so that a crash leaves the old bytes or the new, never a mix."""
    # A name of its own, opened only if new: nothing that is there is written over or followed.
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)  # the commit point
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Put the folder's entries on disk: a renamed file is there after a crash."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
