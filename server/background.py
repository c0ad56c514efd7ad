"""Slow work on collections, one piece at a time, beside the searches.

Training lists, rebuilding an index without its dead rows, embedding again under a new model.
"""

import logging
import threading
import time
from collections.abc import Callable

import numpy as np

from cipherlens.server.call import Call
from cipherlens.server.embedders import Embedders, have_direction
from cipherlens.server.errors import NotFound, ServerError
from cipherlens.server.live import LiveCollection
from cipherlens.server.storage import collections, reading
from cipherlens.server.storage.database import Database
from cipherlens.server.storage.items import put_representations
from cipherlens.server.storage.records import Computed, Generation, ItemSummary, StoredItem
from cipherlens.server.view import View

_log = logging.getLogger(__name__)

_ITEMS_PER_STEP = 64
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 60.0


class Background:
    """One worker thread over the collections that want something done.

    Collections take turns, a step each. One whose step fails is tried again after a pause that
    doubles, so that nothing that was begun is ever left for good.
    """

    def __init__(
        self, database: Database, embedders: Embedders, release_models: Callable[[], None]
    ) -> None:
        self._database = database
        self._embedders = embedders
        self._release_models = release_models
        # Guards _waiting and _closed; notified when either changes.
        self._changed = threading.Condition()
        self._waiting: dict[LiveCollection, float] = {}  # and when each is due
        self._closed = False
        # Of the worker alone: failures in a row, and how far a fill came, (generation, sequence).
        self._failures: dict[LiveCollection, int] = {}
        self._filled: dict[LiveCollection, tuple[int, int]] = {}
        self._worker = threading.Thread(target=self._run, name="background", daemon=True)
        self._worker.start()

    def consider(self, live: LiveCollection) -> None:
        """Look at the collection soon, if it wants anything."""
        if not live.wants_work:
            return
        with self._changed:
            self._waiting.setdefault(live, 0.0)
            self._changed.notify()

    def close(self) -> None:
        """Stop after the step under way; what is left is taken up again at the next start."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._worker.join()

    def _run(self) -> None:
        while (live := self._next()) is not None:
            try:
                self._step(live)
            except NotFound:
                self._forget(live)
            except ServerError as error:
                _log.info("collection %r: put off: %s", live.collection.name, error)
                self._put_off(live)
            except Exception:  # noqa: BLE001 - one collection's failure must not end all work
                _log.exception("collection %r: background work failed", live.collection.name)
                self._put_off(live)
            else:
                self._failures.pop(live, None)
                self.consider(live)

    def _next(self) -> LiveCollection | None:
        """Wait for a collection that is due and take it; None when closed."""
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                for live, due in self._waiting.items():
                    if due <= now:
                        del self._waiting[live]
                        return live
                soonest = min(self._waiting.values(), default=None)
                self._changed.wait(None if soonest is None else soonest - now)
            return None

    def _put_off(self, live: LiveCollection) -> None:
        failures = self._failures.get(live, 0)
        self._failures[live] = failures + 1
        pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(failures, 10))
        with self._changed:
            self._waiting[live] = time.monotonic() + pause_s

    def _forget(self, live: LiveCollection) -> None:
        self._failures.pop(live, None)
        self._filled.pop(live, None)

    def _step(self, live: LiveCollection) -> None:
        live.check_there()
        view, shadow = live.view, live.shadow
        if live.is_behind:
            self._reload(live)
        elif shadow is not None:
            self._fill(live, shadow)
        elif view is not None and view.wants_rebuild:
            self._rebuild(live, view)
        elif view is not None:
            view.train()

    def _reload(self, live: LiveCollection) -> None:
        with live.writing, self._database.read() as connection:
            live.check_there()
            live.reload_if_behind(lambda generation: live.load(connection, generation))

    def _rebuild(self, live: LiveCollection, view: View) -> None:
        """Make the index anew without its dead rows."""
        with self._database.read() as connection:
            fresh = live.load(connection, view.generation)
        fresh.train()
        with live.writing:
            live.check_there()
            if live.view is not view:
                return  # it has been replaced meanwhile
            with self._database.read() as connection:
                live.catch_up(connection, fresh)
            live.adopt(fresh)

    def _fill(self, live: LiveCollection, generation: Generation) -> None:
        """Embed some of what the generation lacks; when nothing is left, let it take over."""
        number, after = self._filled.get(live, (generation.id, 0))
        after = after if number == generation.id else 0
        last = self._embed_some(live, generation, after)
        if last is not None:
            self._filled[live] = (generation.id, last)
            return
        with self._database.read() as connection:
            # One transaction tells what is lacking again by now and leaves that out: a view that
            # had passed it would never come back for it.
            lacking = reading.unrepresented(
                connection, live.collection, generation, after=after, limit=1
            )
            until = lacking[0].sequence - 1 if lacking else None
            view = live.load(connection, generation, until)
        view.train()
        # What was written while the view was made; few, so that little is left for the lock.
        last = view.sequence
        while last is not None and not self._closed:
            last = self._embed_some(live, generation, last)
        self._take_over(live, view)
        self._filled.pop(live, None)

    def _take_over(self, live: LiveCollection, view: View) -> None:
        """Bring the view up to date under the lock, and answer with it."""
        generation = view.generation
        with live.writing:
            live.check_there()
            if live.shadow != generation:
                return  # another model was pushed meanwhile: its turn comes next
            last: int | None = view.sequence
            while last is not None:
                last = self._embed_some(live, generation, last)
            with self._database.write() as connection:
                collection = collections.current(connection, live.collection)
                collections.set_generations(
                    connection, collection, active=generation.id, shadow=None
                )
                live.catch_up(connection, view)
            live.adopt(view)
            live.shadow = None
        self._release_models()
        _log.info(
            "collection %r: generation %d serves %d items",
            live.collection.name,
            generation.id,
            view.index.live_count,
        )

    def _embed_some(self, live: LiveCollection, generation: Generation, after: int) -> int | None:
        """Embed a few items changed after the sequence; return the last one's sequence.

        None if there are none. Damaged ones are passed over.
        """
        with self._database.read() as connection:
            collection = collections.current(connection, live.collection)
            lacking = reading.unrepresented(
                connection, collection, generation, after=after, limit=_ITEMS_PER_STEP
            )
            found = reading.fetched(connection, collection, [each.item_id for each in lacking])
        if not lacking:
            return None
        whole = [each for each in found.values() if isinstance(each, StoredItem)]
        if rows := self._embedded(generation, whole):
            with self._database.write() as connection:
                collection = collections.current(connection, live.collection)
                put_representations(connection, collection, generation, rows)
        return lacking[-1].sequence

    def _embedded(self, generation: Generation, found: list[StoredItem]) -> list[Computed]:
        images = [(each.summary, each.cipher.array()) for each in found if each.cipher is not None]
        if not images:
            return []
        queue = self._embedders.queue(generation.model_digest)
        rows = queue.embed([pixels for _, pixels in images], Call(), urgent=False)
        useful = have_direction(rows)
        if not useful.all():
            _log.error(
                "generation %d: its model makes vectors without direction of %d images, set aside",
                generation.id,
                np.count_nonzero(~useful),
            )
        return [
            _computed(summary, row.astype("<f4").tobytes())
            for (summary, _), row, is_useful in zip(images, rows, useful, strict=True)
            if is_useful
        ]


def _computed(item: ItemSummary, data: bytes) -> Computed:
    return Computed(item_id=item.item_id, sequence=item.sequence, data=data)
