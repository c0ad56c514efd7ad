"""Models of collections: taken in, set to work, used, let go."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from cipherlens.model.checkpoint import read_configuration
from cipherlens.server.call import Call
from cipherlens.server.embedding import EmbeddingModels, ModelReleased
from cipherlens.server.engine.batches import Batch
from cipherlens.server.engine.checks import (
    check_batch,
    check_directions,
    check_model,
    check_numeric_mode,
    check_served,
    check_takes_models,
    document_of,
)
from cipherlens.server.engine.item_index import ItemIndex, Rows
from cipherlens.server.engine.live import LiveCollection
from cipherlens.server.engine.registry import Registry
from cipherlens.server.errors import NotFound
from cipherlens.server.storage import ModelStore, Transaction, Upload
from cipherlens.server.storage.records import Generation, ModelRecord

if TYPE_CHECKING:
    from cipherlens.model.embedder import Embedder


class _Turn(NamedTuple):
    """What serves a collection from now on, and what is filled."""

    serving: ItemIndex | None
    shadow: Generation | None


class CollectionModels:
    """The models that a server holds, and the collections that they work for."""

    def __init__(
        self,
        store: ModelStore,
        embedding: EmbeddingModels,
        registry: Registry,
        consider: Callable[[LiveCollection], None],
    ) -> None:
        """`consider` is told of each collection that a model was set to work in."""
        self._store = store
        self._embedding = embedding
        self._registry = registry
        self._consider = consider

    @property
    def device(self) -> str:
        """Where models run: "cpu" or "cuda:N"; "auto" until one has been loaded."""
        return self._embedding.device

    def listed(self) -> list[ModelRecord]:
        """Return the models held here, newest first."""
        return self._store.listed()

    def incoming(self, collection: str) -> AbstractContextManager[Upload]:
        """Give an upload, if the collection named takes models. Raises NotFound, ModelRefused."""
        if collection:
            check_takes_models(self._registry.find(collection).collection)
        return self._store.incoming()

    def push(self, upload: Upload, *, name: str, collection: str, call: Call) -> ModelRecord:
        """Keep a checkpoint and, if a collection is named, set it to work there: both or neither.

        Raises CheckpointError, ProfileRefused, ModelRefused, NotFound, QueueFull, DeadlineExpired,
        CallCancelled, and what the database raises; then nothing is kept.
        """
        configuration = read_configuration(upload.path)
        document = document_of(configuration)
        if not collection:
            adding = self._store.adding(upload, name=name, configuration=document, call=call)
            with adding as (_, record):
                return record
        live = self._registry.find(collection)
        check_model(live.collection, configuration)
        try:
            with self._embedding.tried(upload.path, call) as embedder:
                self._embedding.adopt(embedder)  # at hand, before anybody asks for it
            mode, length = embedder.numeric_mode, embedder.dimension
            with live.writing.held(call), live.committing():
                live.check_there()
                live.check_follows()
                adding = self._store.adding(upload, name=name, configuration=document, call=call)
                with adding as (transaction, record):
                    turn = _set_to_work(transaction, live, record.digest, mode, length)
                if turn.serving is not None and turn.serving is not live.serving:
                    live.adopt(turn.serving)
                live.shadow = turn.shadow
        finally:
            self._embedding.release()
        self._consider(live)
        return record

    @contextmanager
    def at_hand(self, digest: bytes, call: Call) -> Iterator["Embedder"]:
        """Give a model that is held here, tried and loaded, to be set to work within the block.

        Raises NotFound if it is not held, DataDamaged, and what trying one raises.
        """
        if digest not in {each.digest for each in self._store.listed()}:
            raise NotFound("model", digest.hex())
        try:
            with self._embedding.tried(self._store.read(digest), call) as embedder:
                self._embedding.adopt(embedder)
            yield embedder
        finally:
            self._embedding.release()

    def delete(self, digest: bytes, call: Call) -> None:
        """Forget a model. Raises NotFound; ModelInUse while a collection needs it."""
        self._store.remove(digest, call)

    def represent(
        self,
        live: LiveCollection,
        batch: Batch,
        model_digest: bytes,
        mask_id: str,
        call: Call,
        *,
        urgent: bool,
    ) -> tuple[ItemIndex, Rows]:
        """Return the index that answers and the rows that it compares, one per item or query.

        Raises what the checks of batch and index raise, and what the queue does.
        """
        check_batch(live.collection, batch)
        while True:
            serving = check_served(live, model_digest, mask_id)
            rows = self._rows(live, serving, batch, call, urgent=urgent)
            if rows is not None:  # else see which model serves now
                return serving, rows

    def _rows(
        self, live: LiveCollection, serving: ItemIndex, batch: Batch, call: Call, *, urgent: bool
    ) -> Rows | None:
        """Return what the index compares.

        None if the model was let go meanwhile, as another took over. To be stored, unless urgent,
        they must be made in the arithmetic of those that are. Raises what the queue raises.
        """
        if batch.rows is not None:
            return batch.rows
        try:
            queue = self._embedding.queue(serving.generation.model_digest, call)
            if not urgent:
                check_numeric_mode(live, serving.generation, queue.numeric_mode)
            rows = queue.embed([each.array() for each in batch.images], call, urgent=urgent)
        except ModelReleased:
            return None
        check_directions(rows)
        return rows


def in_use(registry: Registry) -> set[bytes]:
    """Return the digests of the models that serve a collection or fill one."""
    found = registry.listed()
    generations = [live.serving.generation for live in found if live.serving is not None]
    generations += [live.shadow for live in found if live.shadow is not None]
    return {each.model_digest for each in generations if each.model_digest}


def _set_to_work(
    transaction: Transaction, live: LiveCollection, digest: bytes, numeric_mode: str, length: int
) -> _Turn:
    """Make the model's generation active, or the shadow where items must be embedded first.

    The caller holds `live.writing` and, once it is committed, makes the collection follow.
    """
    if _is_of(live.shadow, digest, numeric_mode):
        return _Turn(live.serving, live.shadow)
    if live.serving is not None and _is_of(live.serving.generation, digest, numeric_mode):
        turn = _Turn(live.serving, None)  # back to this one: no other takes over
    else:
        turn = _new_turn(transaction, live, digest, numeric_mode, length)
    transaction.collections.set_generations(
        live.collection,
        active=turn.serving.generation.id if turn.serving else None,
        shadow=turn.shadow.id if turn.shadow else None,
    )
    return turn


def _new_turn(
    transaction: Transaction, live: LiveCollection, digest: bytes, numeric_mode: str, length: int
) -> _Turn:
    generation = transaction.collections.add_generation(
        live.collection, model_digest=digest, numeric_mode=numeric_mode, length=length
    )
    if transaction.items.count(live.collection):
        return _Turn(live.serving, generation)
    return _Turn(live.load(transaction, generation), None)


def _is_of(generation: Generation | None, digest: bytes, numeric_mode: str) -> bool:
    """Return whether the generation is of the model, in that arithmetic."""
    return generation is not None and (generation.model_digest, generation.numeric_mode) == (
        digest,
        numeric_mode,
    )
