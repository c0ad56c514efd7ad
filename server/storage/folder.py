"""A data folder, held by one process, and where the rows are that belong to it."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from cipherlens.base import make_folder, replace_file
from cipherlens.server.errors import StartupError

SQLITE_FILE = "cipherlens.sqlite3"
"""The name of the embedded database within a data folder."""

ELSEWHERE_FILE = "DATABASE"
"""What a folder has in its place whose rows are in another database."""

_LOCK_FILE = "LOCK"
_LONGEST_ADDRESS = 4096


class HeldFolder:
    """The data folder, made if absent, and held by one process: two that write fork the truth.

    is_held: whether this process is the one.
    """

    def __init__(self, path: Path, *, follow: bool = False) -> None:
        """Take the folder; to follow, who finds it held does without. Raises StartupError."""
        self.path = path
        self.is_held = False
        try:
            make_folder(path, 0o700)
            self._lock = (path / _LOCK_FILE).open("a+b")
        except FileExistsError as error:
            raise StartupError(f"the data folder {path} is a file") from error
        except OSError as error:
            raise unusable(path, error) from error
        if not self.try_to_hold() and not follow:
            self._lock.close()
            raise StartupError(f"another server is running on the data folder {path}")

    def try_to_hold(self) -> bool:
        """Take the folder unless another process holds it; return whether this one does."""
        if not self.is_held:
            with suppress(OSError):
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self.is_held = True
        return self.is_held

    def say(self, address: str) -> None:
        """Write down where the one that holds it takes calls of the others."""
        os.ftruncate(self._lock.fileno(), 0)
        os.write(self._lock.fileno(), address.encode())  # it appends

    def said(self) -> str:
        """Return where the last one that held it takes calls, empty if it takes none."""
        return os.pread(self._lock.fileno(), _LONGEST_ADDRESS, 0).decode(errors="replace")

    def release(self) -> None:
        """Give the folder back. The file stays: removing it would race with the next holder."""
        self._lock.close()

    def check_has_rows(self) -> None:
        """Raise StartupError if the rows that belong to the folder are in another database."""
        if rows_are_elsewhere(self.path):
            raise StartupError(
                f"the rows of the data folder {self.path} are in PostgreSQL: name it with "
                "--database, or bring them back with 'cipherlens migrate'"
            )

    def check_has_no_rows(self) -> None:
        """Raise StartupError if the folder has rows of its own."""
        if (self.path / SQLITE_FILE).exists():
            raise StartupError(
                f"the data folder {self.path} has its rows in {SQLITE_FILE}: bring them over with "
                "'cipherlens migrate', or name another folder beside --database"
            )

    def belong_to(self, database: str) -> None:
        """Belong to the database of that id from now on.

        Its models and indexes are here: with another database they would be strays. Raises
        StartupError if it belongs to another one.
        """
        path = self.path / ELSEWHERE_FILE
        try:
            found = path.read_text(encoding="ascii").split("\n")[0] if path.exists() else ""
            if not found:
                replace_file(path, f"{database}\n{_WORDS}".encode())
        except (OSError, UnicodeDecodeError) as error:
            raise unusable(self.path, error) from error
        if found not in ("", database):
            raise StartupError(
                f"the data folder {self.path} belongs to another database, {found}, than the one "
                f"named, {database}"
            )


_WORDS = """\
The line above is the id of the PostgreSQL database that has the rows of this data folder.
'cipherlens snapshot' does not copy it, as the rows would be missing.
"""


def rows_are_elsewhere(path: Path) -> bool:
    """Return whether the rows that belong to a folder are in another database."""
    return (path / ELSEWHERE_FILE).exists()


def unusable(path: Path, error: Exception) -> StartupError:
    """Return what to say of a folder that cannot be used."""
    reason = getattr(error, "strerror", None) or error
    return StartupError(f"the data folder {path} cannot be used: {reason}")
