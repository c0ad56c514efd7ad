"""Room on the disk that is kept for what makes room: a deletion is written before anything goes."""

import contextlib
import os
from pathlib import Path

_BYTES = 8 * 2**20


class Reserve:
    """A file in the data folder that is given up when a deletion finds the disk full."""

    def __init__(self, path: Path) -> None:
        """Take it, made if there is room."""
        self._path = path
        self.restore()

    @property
    def is_there(self) -> bool:
        """Whether it can be given up."""
        return self._path.exists()

    def spend(self) -> bool:
        """Give its room up; return whether there was any."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True

    def restore(self) -> None:
        """Take the room again, if there is as much."""
        if self.is_there:
            return
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError:
            return
        try:
            os.posix_fallocate(descriptor, 0, _BYTES)
        except OSError:
            with contextlib.suppress(OSError):
                self._path.unlink()
        finally:
            os.close(descriptor)
