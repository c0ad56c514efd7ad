"""A new model takes over: its generation is filled aside, then answers in place of the old one."""

import logging
from collections.abc import Callable

import numpy as np

from cipherlens.server.call import Call
from cipherlens.server.embedding import EmbeddingModels, have_direction
from cipherlens.server.engine.checks import check_numeric_mode
from cipherlens.server.engine.item_index import ItemIndex
from cipherlens.server.engine.live import LiveCollection
from cipherlens.server.storage import Database
from cipherlens.server.storage.records import Computed, Generation, ItemSummary, StoredItem

_log = logging.getLogger(__name__)

_ITEMS_PER_STEP = 64
# How often what was written meanwhile is embedded before others must wait for that.
_CHASES = 8


class Takeover:
    """Fills the shadow generations of collections, a few items a step."""

    def __init__(
        self,
        database: Database,
        models: EmbeddingModels,
        *,
        taken_over: Callable[[], None],
        is_closing: Callable[[], bool],
    ) -> None:
        """`taken_over` is called after each; a long step ends early once `is_closing`."""
        self._database = database
        self._models = models
        self._taken_over = taken_over
        self._is_closing = is_closing
        # How far a fill came, (generation, sequence); of the background's thread alone.
        self._filled: dict[LiveCollection, tuple[int, int]] = {}

    def step(self, live: LiveCollection, generation: Generation) -> None:
        """Embed some of what the generation lacks; when nothing is left, let it take over."""
        number, after = self._filled.get(live, (generation.id, 0))
        after = after if number == generation.id else 0
        last = self._embed_some(live, generation, after)
        if last is not None:
            self._filled[live] = (generation.id, last)
            return
        with self._database.read() as transaction:
            # One transaction tells what is lacking again by now and leaves that out: an index that
            # had passed it would never come back for it.
            lacking = transaction.items.unrepresented(
                live.collection, generation, after=after, limit=1
            )
            until = lacking[0].sequence - 1 if lacking else None
            index = live.load(transaction, generation, until)
        index.train()
        if self._took_over(live, index):
            self._filled.pop(live, None)

    def _took_over(self, live: LiveCollection, index: ItemIndex) -> bool:
        """Embed what was written while the index was made, and answer with it; tell if it does.

        What is still lacking when nothing seemed to be is looked for again. Only where writes come
        faster than that, so many times, the last few are embedded while others wait.
        """
        for chase in range(_CHASES):
            last: int | None = index.sequence
            while last is not None:
                if self._is_closing():
                    return False
                last = self._embed_some(live, index.generation, last)
            if self._take_over(live, index, embeds=chase == _CHASES - 1):
                return True
        return False

    def _take_over(self, live: LiveCollection, index: ItemIndex, *, embeds: bool) -> bool:
        """Answer with the index; return False if something is lacking that is not to be embedded.

        Brings it up to date under the lock, unless another model was pushed meanwhile: then its
        turn comes next.
        """
        generation = index.generation
        with live.writing, live.committing():
            live.check_there()
            live.check_follows()
            if live.shadow != generation:
                return True
            last: int | None = index.sequence
            while embeds and last is not None:
                last = self._embed_some(live, generation, last)
            with self._database.write() as transaction:
                state = transaction.collections.state(live.collection)
                if not embeds and transaction.items.unrepresented(
                    live.collection, generation, after=index.sequence, limit=1
                ):
                    return False
                transaction.collections.set_generations(
                    state.collection, active=generation.id, shadow=None
                )
                live.catch_up(transaction, index)
            live.adopt(index)
            live.shadow = None
        self._models.release()
        self._taken_over()
        _log.info(
            "collection %r: generation %d serves %d items",
            live.collection.name,
            generation.id,
            index.vectors.live_count,
        )
        return True

    def _embed_some(self, live: LiveCollection, generation: Generation, after: int) -> int | None:
        """Embed a few items changed after the sequence; return the last one's sequence.

        None if there are none. Damaged ones are passed over.
        """
        with self._database.read() as transaction:
            state = transaction.collections.state(live.collection)
            lacking = transaction.items.unrepresented(
                live.collection, generation, after=after, limit=_ITEMS_PER_STEP
            )
            found = transaction.items.fetched(state, [each.item_id for each in lacking])
        if not lacking:
            return None
        whole = [each for each in found.values() if isinstance(each, StoredItem)]
        if rows := self._embedded(live, generation, whole):
            with self._database.write() as transaction:
                state = transaction.collections.state(live.collection)
                transaction.items.put_representations(state, generation, rows)
        return lacking[-1].sequence

    def _embedded(
        self, live: LiveCollection, generation: Generation, found: list[StoredItem]
    ) -> list[Computed]:
        images = [(each.summary, each.cipher.array()) for each in found if each.cipher is not None]
        if not images:
            return []
        call = Call()
        queue = self._models.queue(generation.model_digest, call)
        check_numeric_mode(live, generation, queue.numeric_mode)
        rows = queue.embed([pixels for _, pixels in images], call, urgent=False)
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
