"""Where a server's writes go: to a disk that keeps them, or to one whose power is cut."""

import os
import random
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.server.durability.disk import Disk, put

_SOURCE = Path(__file__).parent / "unsynced.c"
# The memory that SQLite's processes share: it is made anew after a crash, and written unseen.
_SHARED = "-shm"


def build(folder: Path, compiler: str) -> Path:
    """Return the library that keeps a journal, built with the system's compiler."""
    library = folder / "unsynced.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, _SOURCE]
    subprocess.run([*command, "-lpthread"], check=True)
    return library


class Mains:
    """Power that stays on: what was written is there, synced or not.

    Attributes:
        is_kept: whether it always does.
    """

    is_kept = True

    def environment(self) -> Mapping[str, str] | None:
        """Return the environment of a process that is to write; None for our own."""
        return None

    def cut(self, rng: random.Random) -> None:
        """Have what a process has written that was killed at this moment."""


class Supply(Mains):
    """Power that is cut: of a folder and all below stays what a disk would have."""

    is_kept = False

    @property
    def refusal(self) -> Path:
        """While there is a file of this name, the disk takes nothing."""
        return self._folder.with_name(f"{self._folder.name}.refuses")

    def __init__(
        self,
        folder: Path,
        library: Path,
        *,
        shares: Sequence[float] = (0.0, 0.5, 1.0),
        folders_sync: bool = True,
        **environment: str,
    ) -> None:
        """Take the folder, what `Disk` takes, and more for the environment.

        shares: how much stays of what was not synced; chance takes one of them at each cut.
        """
        self._folder, self._shares, self._folders_sync = folder, shares, folders_sync
        self._environment = {**environment, "LD_PRELOAD": str(library)}
        self._journal = folder.with_name(f"{folder.name}.journal")
        self._disk = Disk(folder)

    def environment(self) -> Mapping[str, str]:
        self._journal.write_bytes(b"")
        self._disk = Disk(self._folder, folders_sync=self._folders_sync)
        return {
            **os.environ,
            **self._environment,
            "UNSYNCED_FOLDER": str(self._folder),
            "UNSYNCED_JOURNAL": str(self._journal),
            "UNSYNCED_REFUSE": str(self.refusal),
        }

    def cut(self, rng: random.Random) -> None:
        self._disk.replay(self._journal.read_bytes())
        written = {
            str(path.relative_to(self._folder)): path.read_bytes()
            for path in self._folder.rglob("*")
            if path.is_file()
        }
        seen = self._disk.now()
        unseen = {name for name in {*written, *seen} if written.get(name) != seen.get(name)}
        unseen = {name for name in unseen if not name.endswith(_SHARED)}
        # One call may have been cut off from its record; a renaming has two names.
        assert len(unseen) <= 2, f"not in the journal: {unseen}"
        left = self._disk.after_loss(rng, rng.choice(self._shares))
        put(self._folder, {n: data for n, data in left.items() if not n.endswith(_SHARED)})
