"""A collection as it serves: the index that answers, and who may change it."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from cipherlens.server.call import Call
from cipherlens.server.engine.item_index import Answer, ItemIndex, Rows, unwatched
from cipherlens.server.engine.tag_postings import TagFilter
from cipherlens.server.errors import (
    DeadlineExpired,
    NotFound,
    OutcomeUnknown,
    OutOfReach,
    StorageUnavailable,
)
from cipherlens.server.index import SearchParameters, VectorIndex
from cipherlens.server.locks import CallLock
from cipherlens.server.storage import Transaction
from cipherlens.server.storage.records import (
    Change,
    Collection,
    CollectionState,
    Generation,
    Written,
)
from cipherlens.server.turns import SharedTurns

_log = logging.getLogger(__name__)

Write = Callable[[Transaction, CollectionState], Written]
"""Changes the collection, in the state it is in, within the transaction; or raises ServerError."""

# Without a deadline a search does not wait for a change longer than this.
_LONGEST_WAIT_S = 30.0


class LiveCollection:
    """A collection that answers searches.

    collection: what never changes about it, but for its name, which takes the place of another's.
    serving: the index that answers, None before there is a model; replaced as a whole.
    shadow: the generation that a new model fills, if one does.
    """

    def __init__(
        self,
        collection: Collection,
        new_index: Callable[[Generation], VectorIndex],
        commit: "Callable[[LiveCollection, Sequence[Write], Call], Sequence[Written | Exception]]",
    ) -> None:
        """Take what makes an empty index for a generation, and what does writes together."""
        self.collection = collection
        self._new_index = new_index
        # Held from before a write's transaction until the index has it: commits and applications
        # keep one order. Guards all fields but `_dropped`.
        self.writing = CallLock(f"collection {collection.name!r}")
        self._turns = SharedTurns(self.writing, partial(commit, self))
        self.serving: ItemIndex | None = None
        self.shadow: Generation | None = None
        # Whether something is, or may be, committed that `serving` and `shadow` do not follow.
        self.is_behind = False
        # Notified when a search may see more; guards _dropped.
        self._applied = threading.Condition()
        self._dropped = False

    def empty(self, generation: Generation) -> VectorIndex:
        """Return an empty index for a generation."""
        return self._new_index(generation)

    def load(
        self, transaction: Transaction, generation: Generation, until: int | None = None
    ) -> ItemIndex:
        """Return an index of the generation from the database, as `catch_up` brings it up."""
        loaded = ItemIndex(generation, self.empty(generation))
        self.catch_up(transaction, loaded, until)
        return loaded

    def catch_up(
        self,
        transaction: Transaction,
        index: ItemIndex,
        until: int | None = None,
        watch: Callable[[int], None] = unwatched,
    ) -> None:
        """Bring an index up to a sequence, or to all that the transaction sees.

        If it answers already, the caller holds `writing`. Raises StorageUnavailable for one that
        was begun so long ago that deletions since may be forgotten: another must be made.
        """
        state = transaction.collections.state(self.collection)
        if 0 < index.sequence < state.purge_horizon:
            raise StorageUnavailable(
                f"an index of collection {self.collection.name!r} has the changes up to "
                f"{index.sequence}, and deletions up to {state.purge_horizon} may be forgotten"
            )
        if until is None:
            until = state.sequence
        index.follow(
            transaction.items.changes(
                self.collection, index.generation, after=index.sequence, until=until
            ),
            watch,
        )
        index.sequence = until

    def adopt(self, index: ItemIndex) -> None:
        """Answer with this index from now on. The caller holds `writing`."""
        with self._applied:
            self.serving = index
            self.is_behind = False
            self._applied.notify_all()

    def write(self, write: Write, call: Call) -> Written:
        """Do a write, in one transaction with those that wait beside it, and return what it did."""
        return self._turns.take(write, call)

    def apply(self, changes: Sequence[Change]) -> None:
        """Put changes that are committed into the index. The caller holds `writing`.

        When this raises, `is_behind` is set: the index must be loaded anew before the next change.
        """
        if self.serving is None or not changes:
            return
        self.is_behind = True
        self.serving.follow(changes)
        self.is_behind = False
        self._wake()

    def search(
        self,
        serving: ItemIndex,
        queries: Rows,
        k: int,
        parameters: SearchParameters,
        call: Call,
        kept: TagFilter | None = None,
    ) -> Answer:
        """Return a ranking for each query, each item in it at most once.

        `serving` is the index that served when the queries were made ready for it. Raises
        StorageUnavailable, DeadlineExpired.
        """
        answer, are_clean = serving.search(queries, k, parameters, kept)
        if not are_clean:
            with self._unchanging(call):
                answer, _ = serving.search(queries, k, parameters, kept)
        return answer

    def count(self, serving: ItemIndex, kept: TagFilter | None, call: Call) -> tuple[int, int]:
        """Return how many items are kept, and the last change seen; raises as `search` does."""
        count, sequence, is_clean = serving.count(kept)
        if not is_clean:
            with self._unchanging(call):
                count, sequence, _ = serving.count(kept)
        return count, sequence

    @contextmanager
    def _unchanging(self, call: Call) -> Iterator[None]:
        """Let nothing be replaced meanwhile. Raises StorageUnavailable, DeadlineExpired."""
        with self.writing.held(call):
            self.check_follows()
            yield

    def wait_for(self, sequence: int, call: Call) -> None:
        """Return when searches see the sequence.

        Raises DeadlineExpired, CallCancelled, NotFound if the collection is dropped.
        """

        def settled() -> bool:
            return self.sees(sequence) or self._dropped or not call.is_active()

        if self.sees(sequence):
            return
        call.on_end(self._wake)
        with self._applied:
            in_time = self._applied.wait_for(settled, call.remaining_s(_LONGEST_WAIT_S))
            last = self.serving.sequence if self.serving else 0
        if not in_time:
            raise DeadlineExpired(
                f"min_sequence: change {sequence} has not been seen, the last one is {last}"
            )
        call.check()
        self.check_there()

    def check_within(self, sequence: int, reach: int) -> None:
        """Raise OutOfReach for a sequence that is further away than changes under way can be."""
        last = self.serving.sequence if self.serving else 0
        if sequence > last + reach:
            raise OutOfReach(
                f"min_sequence: change {sequence} is out of reach, the last one is {last}: it is "
                "of another collection, or of this one before it was restored",
                {"field": "min_sequence", "last": str(last), "value": str(sequence)},
            )

    def check_there(self) -> None:
        """Raise NotFound if the collection has been dropped."""
        if self._dropped:
            raise NotFound("collection", self.collection.name)

    def check_follows(self) -> None:
        """Raise StorageUnavailable if the database may differ. The caller holds `writing`."""
        if self.is_behind:
            raise StorageUnavailable("the index is being made anew")

    def mark_dropped(self) -> None:
        """Refuse everything from now on. The caller holds `writing`."""
        with self._applied:
            self._dropped = True
            self.serving = None
            self.shadow = None
            self._applied.notify_all()

    @contextmanager
    def committing(self) -> Iterator[None]:
        """Be behind where nobody knows whether the database has kept what the block commits.

        The caller holds `writing`.
        """
        try:
            yield
        except OutcomeUnknown:
            self.is_behind = True
            raise

    def follow(self, transaction: Transaction) -> None:
        """Apply what another process has changed. The caller holds `writing`.

        Where it cannot, as another generation answers now, it is behind: it must be loaded anew.
        Raises NotFound if it has been dropped; DataDamaged, StorageUnavailable.
        """
        state, serving = transaction.collections.state(self.collection), self.serving
        self._take_up_shadow(transaction, state)
        if state.active_generation != (serving.generation.id if serving else None):
            self.is_behind = True
        elif serving is not None and not self.is_behind and serving.sequence != state.sequence:
            self.is_behind = True
            if serving.sequence < state.sequence:  # else the database has gone another way
                self.catch_up(transaction, serving)
                self.is_behind = False
                self._wake()

    def reload_if_behind(self, transaction: Transaction) -> None:
        """Be what the database says, if this could not follow it. The caller holds `writing`.

        Raises NotFound if it has been dropped; DataDamaged.
        """
        if not self.is_behind:
            return
        state = transaction.collections.state(self.collection)
        self._take_up_shadow(transaction, state)
        active = self._generation(transaction, state.active_generation)
        if active is None:
            self.is_behind = False
            return
        self.adopt(self.load(transaction, active))
        _log.warning("collection %r: its index was made anew", self.collection.name)

    def _take_up_shadow(self, transaction: Transaction, state: CollectionState) -> None:
        if state.shadow_generation != (self.shadow.id if self.shadow else None):
            self.shadow = self._generation(transaction, state.shadow_generation)

    def _generation(self, transaction: Transaction, number: int | None) -> Generation | None:
        return None if number is None else transaction.collections.generation(number)

    def sees(self, sequence: int) -> bool:
        """Return whether searches see the sequence."""
        return self.serving is not None and self.serving.sequence >= sequence

    def _wake(self) -> None:
        with self._applied:
            self._applied.notify_all()
