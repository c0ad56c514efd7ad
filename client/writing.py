"""Writing files for good."""

import os
import secrets
from pathlib import Path

from cipherlens.crypto.private_file import sync_folder

CIPHER_SUFFIX = ".cimg"
"""Of a cipher-image's file."""

SEALED_SUFFIX = ".sealed"
"""Of a sealed original's file, beside the cipher-image's."""


def replace_file(path: Path, data: bytes) -> None:
    """Put data at path so that a crash leaves the old bytes or the new, never a mix."""
    # A name of its own, opened only if new: nothing that is there is written over or followed.
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)  # the commit point
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
