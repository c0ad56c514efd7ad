"""Snapshots taken of a folder while it is served, by a program that can be killed as well."""

import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from cipherlens.server.storage import snapshot
from tests.server.durability.caller import Caller
from tests.server.durability.facts import stored_in
from tests.server.durability.ledger import difference

OPERATION = "take a snapshot"
_CREATE = """
import sys
from pathlib import Path
from cipherlens.server.storage import snapshot
print(flush=True)
snapshot.create(*map(Path, sys.argv[1:]))
"""


class Taken(NamedTuple):
    """A snapshot that was begun: where, and how much each caller had done by then."""

    path: Path
    since: list[int]


class SnapshotTaker:
    """Takes one after the other; what is there under a name must be whole.

    Attributes:
        failure: what one that was not killed ended with.
    """

    def __init__(self, folder: Path, out: Path, callers: Sequence[Caller]) -> None:
        """Take the data folder, and where the snapshots go."""
        self._folder, self._out, self._callers = folder, out, callers
        self.failure: AssertionError | None = None
        self._count = 0
        self._begun: list[Taken] = []
        self._ended = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None

    def work(self, note: Callable[[str, str], None]) -> None:
        """Take snapshots until the end."""
        self._ended.clear()
        while not self._ended.is_set():
            since = [len(each.ledger.past) - 1 for each in self._callers]
            self._count += 1
            path = self._out / f"snapshot.{self._count}"
            self._begun.append(Taken(path, since))
            command = [sys.executable, "-c", _CREATE, self._folder, path]
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
                self._child = child
                assert child.stdout is not None
                child.stdout.readline()
                note(OPERATION, "begun")
                _, told = child.communicate()
            # A model that it was to copy may have been deleted meanwhile.
            if child.returncode > 0 and b"cannot be read" not in told:
                self.failure = AssertionError(told.decode())
            note(OPERATION, "done")

    def end(self, rng: random.Random) -> bool:
        """Let the last one finish, or kill it; return whether it was killed."""
        self._ended.set()
        is_killed = self._child is not None and self._child.poll() is None and rng.random() < 0.7
        if is_killed:
            assert self._child is not None
            self._child.kill()
        return is_killed

    def check(self) -> int:
        """Look at all that were begun, and remove them; return how many there were to be looked at.

        Each is absent, or whole and of one moment between its beginning and now.
        """
        found = 0
        for path, since in self._begun:
            if not path.exists():
                continue
            found += 1
            snapshot.verify(path)
            facts = stored_in(path).facts
            for caller, first in zip(self._callers, since, strict=True):
                part = caller.part_of(facts)
                under_way = caller.ledger.under_way
                past = caller.ledger.past[first:]
                if under_way is not None:
                    past = [*past, under_way.after]
                assert part in past, difference(past[-1], part)
            shutil.rmtree(path)
        self._begun.clear()
        return found
