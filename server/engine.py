"""The cloud's heart: collections, items and models, from the database to the index and back.

Nothing here knows gRPC. A write is acknowledged when its transaction is on disk and the index
has it.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass
from functools import partial

import numpy as np
from sqlalchemy import Connection

from cipherlens.base import Kind
from cipherlens.model.checkpoint import read_configuration
from cipherlens.server.background import Background
from cipherlens.server.call import Call
from cipherlens.server.config import ServerConfig
from cipherlens.server.content import CipherBatch, Content, ItemHead, NewCollection, VectorBatch
from cipherlens.server.description import Status, describe
from cipherlens.server.embedders import Embedders
from cipherlens.server.errors import DataDamaged, NotFound, Stopping
from cipherlens.server.fit import (
    check_directions,
    check_model,
    check_takes_models,
    document_of,
    serving_view,
)
from cipherlens.server.index import SearchParameters, resolve_device
from cipherlens.server.live import LiveCollection
from cipherlens.server.registry import Registry
from cipherlens.server.storage import collections, items, reading
from cipherlens.server.storage.database import Database
from cipherlens.server.storage.models import ModelStore, Upload
from cipherlens.server.storage.records import (
    Collection,
    Damaged,
    Generation,
    ItemSummary,
    ModelRecord,
    NewItem,
    StoredItem,
    Written,
)
from cipherlens.server.view import Ranking, Rows, View

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """One ranking per query, what they saw, and which generation gave them."""

    rankings: list[Ranking]
    sequence: int
    generation: int


class Engine:
    """Everything RetrievalService does, as plain calls; any of them from any thread."""

    def __init__(self, config: ServerConfig) -> None:
        """Open the data folder and load every collection that is sound.

        Raises StartupError; VectorIndexError or ValueError if the device is not there.
        """
        self.device = resolve_device(config.device)
        self._registry = Registry()
        with ExitStack() as opened:
            self._database = Database(config.data_dir)
            opened.callback(self._database.close)
            self._models = ModelStore(self._database, config.data_dir / "models")
            self._embedders = Embedders(self._models, config)
            opened.callback(self._embedders.close)
            self._background = Background(self._database, self._embedders, self._release_models)
            opened.callback(self._background.close)
            self._load()
            self._opened = opened.pop_all()

    @property
    def model_device(self) -> str:
        """Where models run: "cpu" or "cuda:N"; "auto" until one has been loaded."""
        return self._embedders.device

    def close(self) -> None:
        """Finish what was begun and close the database; a second time does nothing."""
        self._opened.close()

    def create_collection(self, new: NewCollection) -> Status:
        """Make an empty collection. Raises AlreadyExists."""
        with self._database.write() as connection:
            made = collections.create(
                connection,
                name=new.name,
                kind=new.kind,
                dimension=new.dimension,
                bits=new.bits,
                profile=new.profile,
            )
            if new.kind is not Kind.CIPHER:
                generation = collections.add_generation(
                    connection,
                    made,
                    model_digest=new.encoder_digest,
                    numeric_mode="",
                    dimension=new.dimension or new.bits,
                )
                collections.set_generations(connection, made, active=generation.id, shadow=None)
            live = self._loaded(connection, collections.current(connection, made))
            status = describe(connection, live)
        self._registry.add(live)
        return status

    def drop_collection(self, name: str) -> None:
        """Delete a collection with all it holds, damaged or not. Raises NotFound."""
        if self._registry.is_set_aside(name):
            with self._database.write() as connection:
                collections.drop(connection, name)
            self._registry.forget(name)
            return
        live = self._registry.find(name)
        with live.writing:
            live.check_there()
            with self._database.write() as connection:
                collections.drop(connection, name)
            live.mark_dropped()
            self._registry.remove(live)
        self._release_models()

    def status(self, name: str) -> Status:
        """Describe a collection. Raises NotFound."""
        with self._database.read() as connection:
            return describe(connection, self._registry.find(name))

    def statuses(self) -> list[Status]:
        """Describe all collections that are served, by name."""
        described = []
        for live in self._registry.listed():
            # One that is dropped at this moment is left out.
            with suppress(NotFound), self._database.read() as connection:
                described.append(describe(connection, live))
        return described

    def index(
        self,
        name: str,
        heads: Sequence[ItemHead],
        content: Content,
        model_digest: bytes,
        call: Call,
    ) -> Written:
        """Write a batch, all or none, and return when it is on disk and searchable.

        Raises NotFound, ProfileRefused, ModelRefused, InvalidField, StaleRevision and what the
        queue raises.
        """
        live = self._registry.find(name)
        while True:
            view, rows = self._represent(live, content, model_digest, call, urgent=False)
            batch = _new_items(heads, content, rows)
            with live.writing:
                call.check()
                if live.view is None or live.view.generation != view.generation:
                    continue  # another model took over meanwhile: embed again with that one
                put = partial(items.put, generation=view.generation, batch=batch)
                return self._write(live, put)

    def delete(self, name: str, ids: Sequence[str], call: Call) -> Written:
        """Delete items and return when that is on disk and in force.

        Unknown ids are passed over.
        """
        live = self._registry.find(name)
        with live.writing:
            call.check()
            return self._write(live, partial(items.delete_items, ids=ids))

    def search(
        self,
        name: str,
        queries: Content,
        k: int,
        parameters: SearchParameters,
        *,
        min_sequence: int,
        model_digest: bytes,
        call: Call,
    ) -> Answer:
        """Rank the collection for each query.

        Raises NotFound, ProfileRefused, ModelRefused, InvalidField, DeadlineExpired and what the
        queue raises.
        """
        live = self._registry.find(name)
        if min_sequence:
            live.wait_for(min_sequence, call)
        view, rows = self._represent(live, queries, model_digest, call, urgent=True)
        sequence = view.sequence  # before the search: it sees at least this much
        rankings = live.search(view, rows, k, parameters)
        return Answer(rankings, sequence, view.generation.id)

    def fetch(
        self, name: str, ids: Sequence[str]
    ) -> tuple[Collection, dict[str, StoredItem | Damaged]]:
        """Return the collection and those of the items that are there, whole or as damaged."""
        live = self._registry.find(name)
        with self._database.read() as connection:
            collection = collections.current(connection, live.collection)
            return collection, reading.fetched(connection, collection, ids)

    def list_items(self, name: str, *, after: str, size: int) -> list[ItemSummary]:
        """Return at most size items with ids greater than `after`, in the order of ids."""
        live = self._registry.find(name)
        with self._database.read() as connection:
            return reading.page(connection, live.collection, after=after, size=size)

    def incoming_model(self, collection: str) -> AbstractContextManager[Upload]:
        """Give an upload, if the collection named takes models. Raises NotFound, ModelRefused."""
        if collection:
            check_takes_models(self._registry.find(collection).collection)
        return self._models.incoming()

    def push_model(self, upload: Upload, *, name: str, collection: str) -> ModelRecord:
        """Keep a checkpoint and, if a collection is named, set it to work there.

        Raises CheckpointError, ProfileRefused, ModelRefused, NotFound; then nothing is kept.
        """
        configuration = read_configuration(upload.path)
        document = document_of(configuration)
        if not collection:
            return self._models.add(upload, name=name, configuration=document)
        live = self._registry.find(collection)
        check_model(live.collection, configuration)
        embedder = self._embedders.tried(upload.path)
        record = self._models.add(upload, name=name, configuration=document)
        self._embedders.adopt(embedder)
        self._set_to_work(live, record.digest, embedder.numeric_mode, embedder.dimension)
        return record

    def models(self) -> list[ModelRecord]:
        """Return the models held here, newest first."""
        return self._models.listed()

    def _write(
        self, live: LiveCollection, change: Callable[[Connection, Collection], Written]
    ) -> Written:
        """Commit a change and bring the index up to it. The caller holds `live.writing`."""
        live.check_there()
        self._keep_up(live)
        with self._database.write() as connection:
            written = change(connection, collections.current(connection, live.collection))
        try:
            live.apply(written.changes)
        except Exception:  # noqa: BLE001 - committed is committed: the index has to follow
            _log.exception("collection %r: its index could not follow", live.collection.name)
            self._keep_up(live)
        finally:
            self._background.consider(live)
        return written

    def _keep_up(self, live: LiveCollection) -> None:
        """Load the view anew if it could not follow. The caller holds `live.writing`."""
        if live.is_behind:
            with self._database.read() as connection:
                live.reload_if_behind(lambda generation: live.load(connection, generation))

    def _set_to_work(
        self, live: LiveCollection, digest: bytes, numeric_mode: str, dimension: int
    ) -> None:
        """Make the model's generation active, or the shadow where items must be embedded first."""
        with live.writing:
            live.check_there()
            active = live.view.generation if live.view else None
            if _is_of(live.shadow, digest, numeric_mode):
                return
            with self._database.write() as connection:
                collection = collections.current(connection, live.collection)
                if _is_of(active, digest, numeric_mode):
                    view, shadow = live.view, None  # back to this one: no other takes over
                else:
                    generation = collections.add_generation(
                        connection,
                        collection,
                        model_digest=digest,
                        numeric_mode=numeric_mode,
                        dimension=dimension,
                    )
                    if reading.count(connection, collection):
                        view, shadow = live.view, generation
                    else:
                        view, shadow = live.load(connection, generation), None
                collections.set_generations(
                    connection,
                    collection,
                    active=view.generation.id if view else None,
                    shadow=shadow.id if shadow else None,
                )
            if view is not None and view is not live.view:
                live.adopt(view)
            live.shadow = shadow
        self._background.consider(live)
        self._release_models()

    def _load(self) -> None:
        """Load all collections; one that is damaged is named and set aside."""
        with self._database.read() as connection:
            rows = collections.listed(connection)
        for number, name in rows:
            try:
                with self._database.read() as connection:
                    live = self._loaded(connection, collections.numbered(connection, number, name))
            except DataDamaged as error:
                _log.error("collection %r is set aside: %s", name, error)
                self._registry.set_aside(name, str(error))
            else:
                self._registry.add(live)
                self._background.consider(live)

    def _loaded(self, connection: Connection, collection: Collection) -> LiveCollection:
        """Return a collection ready to serve. Raises DataDamaged."""
        live = LiveCollection(collection, self.device)
        if collection.active_generation is not None:
            generation = collections.generation(connection, collection.active_generation)
            live.adopt(live.load(connection, generation))
        if collection.shadow_generation is not None:
            try:
                live.shadow = collections.generation(connection, collection.shadow_generation)
            except DataDamaged as error:
                _log.error("collection %r: %s: push its new model again", collection.name, error)
        return live

    def _represent(
        self,
        live: LiveCollection,
        content: Content,
        model_digest: bytes,
        call: Call,
        *,
        urgent: bool,
    ) -> tuple[View, Rows]:
        """Return the view that answers and the rows that it compares, one per item or query."""
        while True:
            view = serving_view(live, content, model_digest)
            if not isinstance(content, CipherBatch):
                return view, content.rows
            images = [each.array() for each in content.images]
            queue = self._embedders.queue(view.generation.model_digest)
            try:
                rows = queue.embed(images, call, urgent=urgent)
            except Stopping:
                # The model was let go as another took over: see which one serves now. When the
                # server itself stops, asking for the queue says so.
                continue
            check_directions(rows)
            return view, rows

    def _release_models(self) -> None:
        found = self._registry.listed()
        views = [live.view for live in found]
        in_use = [view.generation for view in views if view is not None]
        in_use += [shadow for live in found if (shadow := live.shadow) is not None]
        self._embedders.release({each.model_digest for each in in_use if each.model_digest})


def _is_of(generation: Generation | None, digest: bytes, numeric_mode: str) -> bool:
    """Return whether the generation is of the model, in that arithmetic."""
    return generation is not None and (generation.model_digest, generation.numeric_mode) == (
        digest,
        numeric_mode,
    )


def _new_items(heads: Sequence[ItemHead], content: Content, rows: Rows) -> list[NewItem]:
    data = np.ascontiguousarray(rows, rows.dtype.newbyteorder("<"))
    count = len(heads)
    ciphers = content.images if isinstance(content, CipherBatch) else [None] * count
    if isinstance(content, CipherBatch):
        sent = [b""] * count
    else:
        as_sent = content.sent if isinstance(content, VectorBatch) else content.rows
        sent = [row.tobytes() for row in as_sent]
    return [
        NewItem(
            item_id=head.item_id,
            revision=head.revision,
            owner_tag=head.owner_tag,
            sealed=head.sealed,
            cipher=cipher,
            content=as_came,
            representation=row.tobytes(),
        )
        for head, cipher, as_came, row in zip(heads, ciphers, sent, data, strict=True)
    ]
