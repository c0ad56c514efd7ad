"""What a run over a folder has done so far, and telling of it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from cipherlens.client.folder.walk import Skipped


@dataclass(frozen=True, kw_only=True, slots=True)
class FolderReport:
    """How far the indexing of a folder has come.

    Attributes:
        found: picture files in the folder.
        indexed: those written now.
        unchanged: those that were there already, the same.
        skipped: those that were passed over, and what is no picture file, with reasons.
        other_files: how many of the skipped are no picture files, and so not among those found.
        pruned: items deleted because their files are gone.
    """

    found: int = 0
    indexed: int = 0
    unchanged: int = 0
    skipped: tuple[Skipped, ...] = ()
    other_files: int = 0
    pruned: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How many of the files found are done with, one way or another."""

    done: int
    found: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """The server does not answer; the batch is sent again when it does."""

    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Vanished:
    """Items of the collection that have no file in the folder: pruning deletes them.

    Attributes:
        names: the names that their files had, at least one.
        stored_count: items that the collection holds, these among them.
    """

    names: tuple[str, ...]
    stored_count: int

    @property
    def are_most(self) -> bool:
        """Return whether they are more than half of the collection, as in a wrong folder."""
        return 2 * len(self.names) > self.stored_count


FolderEvent = Progress | Skipped | Waiting | Vanished
"""What a caller is told of: a step forward, a file passed over, a wait, or what pruning deletes."""


class Tally:
    """Counts for several threads; its listener is called by one of them at a time.

    Two locks, taken in this order: one is held while the listener is told, so that events come in
    the order of the counts; the other guards the counts alone, so that the listener, or a thread
    that it waits for, may ask for the report.
    """

    def __init__(self, on_event: Callable[[FolderEvent], None]) -> None:
        """Begin at nothing."""
        self._on_event = on_event
        self._telling = threading.Lock()
        self._counting = threading.Lock()  # guards what follows
        self._found = self._indexed = self._unchanged = self._pruned = self._passed_over = 0
        self._skipped: list[Skipped] = []

    def report(self) -> FolderReport:
        """Return the counts as they are now."""
        with self._counting:
            return FolderReport(
                found=self._found,
                indexed=self._indexed,
                unchanged=self._unchanged,
                skipped=tuple(self._skipped),
                other_files=len(self._skipped) - self._passed_over,
                pruned=self._pruned,
            )

    def prune(self, count: int) -> None:
        """Count items deleted."""
        with self._counting:
            self._pruned += count

    def skip(self, skipped: Skipped, *, found: bool = True) -> None:
        """Keep what is passed over; `found` if it was counted among the files found."""
        self.count(skipped, passed_over=int(found))

    def tell(self, event: FolderEvent) -> None:
        """Tell of something that is not counted."""
        with self._telling:
            self._on_event(event)

    def count(
        self,
        *skipped: Skipped,
        found: int = 0,
        indexed: int = 0,
        unchanged: int = 0,
        passed_over: int = 0,
    ) -> None:
        """Count files and tell how many are done with; before that, of what was skipped."""
        with self._telling:
            with self._counting:
                self._skipped += skipped
                self._found += found
                self._indexed += indexed
                self._unchanged += unchanged
                self._passed_over += passed_over
                done = self._indexed + self._unchanged + self._passed_over
                progress = Progress(done=done, found=self._found)
            for each in skipped:
                self._on_event(each)
            self._on_event(progress)
