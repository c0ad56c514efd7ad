"""Writing files for good."""

import os
from pathlib import Path

CIPHER_SUFFIX = ".cimg"
"""Of a cipher-image's file."""

SEALED_SUFFIX = ".sealed"
"""Of a sealed original's file, beside the cipher-image's."""


def replace_file(path: Path, data: bytes) -> None:
    """Put data at path so that a crash leaves the old bytes or the new, never a mix."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)  # the commit point
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
