"""Writing files so that a crash leaves the old bytes or the new."""

import os
from pathlib import Path


def replace_file(path: Path, data: bytes) -> None:
    """Put data at path so that a crash leaves the old bytes or the new, never a mix."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)  # the commit point
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Put the folder's entries on disk: a renamed file is there after a crash."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
