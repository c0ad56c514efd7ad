"""A collection as it serves: the view that answers, and who may change it."""

import logging
import threading
from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from cipherlens.base import Kind
from cipherlens.server.call import Call
from cipherlens.server.errors import DeadlineExpired, NotFound, StorageUnavailable
from cipherlens.server.index import (
    CosineIndex,
    Device,
    HammingIndex,
    SearchParameters,
    VectorIndex,
)
from cipherlens.server.storage import collections
from cipherlens.server.storage.reading import changes_since
from cipherlens.server.storage.records import Change, Collection, Generation
from cipherlens.server.view import Ranking, Rows, View

_log = logging.getLogger(__name__)

# Without a deadline a search does not wait for a change longer than this.
_LONGEST_WAIT_S = 30.0


class LiveCollection:
    """A collection that answers searches.

    `view` is replaced as a whole, never changed under a search.
    """

    def __init__(self, collection: Collection, device: Device) -> None:
        self.collection = collection
        self._device = device
        # Held from before a write's transaction until the index has it: commits and applications
        # keep one order. Guards all fields but `_dropped`.
        self.writing = threading.Lock()
        self.view: View | None = None
        self.shadow: Generation | None = None
        # Whether something is committed that the view could not follow.
        self.is_behind = False
        # Notified when a search may see more; guards _dropped.
        self._applied = threading.Condition()
        self._dropped = False

    def load(
        self, connection: Connection, generation: Generation, until: int | None = None
    ) -> View:
        """Return a view of the generation made from the database, as `catch_up` brings it up."""
        view = View(generation, self._new_index(generation))
        self.catch_up(connection, view, until)
        return view

    def catch_up(self, connection: Connection, view: View, until: int | None = None) -> None:
        """Bring a view up to a sequence, or to all that the connection sees.

        If it answers already, the caller holds `writing`.
        """
        if until is None:
            until = collections.current(connection, self.collection).sequence
        view.follow(
            changes_since(
                connection, self.collection, view.generation, after=view.sequence, until=until
            )
        )
        view.sequence = until

    def adopt(self, view: View) -> None:
        """Answer with this view from now on. The caller holds `writing`."""
        with self._applied:
            self.view = view
            self.is_behind = False
            self._applied.notify_all()

    def apply(self, changes: Sequence[Change]) -> None:
        """Put changes that are committed into the index. The caller holds `writing`.

        When this raises, `is_behind` is set: the view must be loaded anew before the next change.
        """
        view = self.view
        if view is None or not changes:
            return
        self.is_behind = True
        view.follow(changes)
        self.is_behind = False
        self._wake()

    def search(
        self, view: View, queries: Rows, k: int, parameters: SearchParameters
    ) -> list[Ranking]:
        """Return a ranking for each query, each item in it at most once."""
        rankings, are_clean = view.search(queries, k, parameters)
        if not are_clean:
            with self.writing:  # nothing is being replaced now
                if self.is_behind:
                    raise StorageUnavailable("the index is being made anew")
                rankings, _ = view.search(queries, k, parameters)
        return rankings

    def wait_for(self, sequence: int, call: Call) -> None:
        """Return when searches see the sequence.

        Raises DeadlineExpired, CallCancelled, NotFound if the collection is dropped.
        """

        def settled() -> bool:
            return self._sees(sequence) or self._dropped or not call.is_active()

        if self._sees(sequence):
            return
        call.on_end(self._wake)
        with self._applied:
            in_time = self._applied.wait_for(settled, call.remaining_s(_LONGEST_WAIT_S))
            last = self.view.sequence if self.view else 0
        if not in_time:
            raise DeadlineExpired(
                f"min_sequence: change {sequence} has not been seen, the last one is {last}"
            )
        call.check()
        self.check_there()

    def check_there(self) -> None:
        """Raise NotFound if the collection has been dropped."""
        if self._dropped:
            raise NotFound("collection", self.collection.name)

    def mark_dropped(self) -> None:
        """Refuse everything from now on. The caller holds `writing`."""
        with self._applied:
            self._dropped = True
            self.view = None
            self.shadow = None
            self._applied.notify_all()

    @property
    def wants_work(self) -> bool:
        """Whether there is anything for the background to do."""
        view = self.view
        if self.shadow is not None or self.is_behind:
            return True
        return view is not None and (view.wants_rebuild or view.wants_training)

    def reload_if_behind(self, loaded: Callable[[Generation], View]) -> None:
        """Take a view made anew if this one could not follow. The caller holds `writing`."""
        if self.is_behind and self.view is not None:
            self.adopt(loaded(self.view.generation))
            _log.warning("collection %r: its index was made anew", self.collection.name)

    def _sees(self, sequence: int) -> bool:
        return self.view is not None and self.view.sequence >= sequence

    def _wake(self) -> None:
        with self._applied:
            self._applied.notify_all()

    def _new_index(self, generation: Generation) -> VectorIndex:
        if self.collection.kind is Kind.CODE:
            return HammingIndex(self.collection.bits, self._device)
        return CosineIndex(generation.dimension, self._device)
