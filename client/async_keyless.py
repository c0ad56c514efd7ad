"""`KeylessClient`, awaited."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence, Sized
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import grpc
import numpy as np
import numpy.typing as npt

from cipherlens.base import IndexChoice, Kind
from cipherlens.client.access import OPEN, Access
from cipherlens.client.async_shell import AsyncShell
from cipherlens.client.channel import DEFAULT_TARGET, MAX_MESSAGE_BYTES
from cipherlens.client.core import catalog, indexing, items, searching
from cipherlens.client.core.call import Call
from cipherlens.client.core.catalog import KnownLimits, UploadProgress, name_of
from cipherlens.client.core.collection import Collection, Limits, Model, ServerInfo
from cipherlens.client.core.content import Rows, code_rows, vector_rows
from cipherlens.client.core.deadlines import Deadlines, Work
from cipherlens.client.core.indexing import IndexResult, ItemHeads
from cipherlens.client.core.item import Fetched, Hits, ItemState, ItemSummary, ItemView
from cipherlens.client.core.pictures import CodedPicture, EncryptedPicture
from cipherlens.client.core.question import DEFAULT_OPTIONS, Questions, SearchOptions
from cipherlens.client.core.tags import BlindedTags
from cipherlens.client.errors import AlreadyExists
from cipherlens.client.joined_searches import JoinedSearches
from cipherlens.client.model_file import upload
from cipherlens.client.same_collection import check_same
from cipherlens.client.shared_answer import SharedAnswer
from cipherlens.crypto import CipherImage
from cipherlens.v1.retrieval_service_pb2_grpc import RetrievalServiceStub

_Queries = TypeVar("_Queries")

_FEW_QUERIES = 16  # made and read in less time than the way to a thread and back takes


class AsyncKeylessClient(AsyncShell):
    """What `AsyncClient` does without a key."""

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        access: Access = OPEN,
        channel: grpc.aio.Channel | None = None,
        deadlines: Deadlines | None = None,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        join_searches: bool = True,
    ) -> None:
        """Take where to connect, with the first call; see `AsyncClient`."""
        super().__init__(
            RetrievalServiceStub, target, deadlines, max_message_bytes, access, channel
        )
        self._limits = KnownLimits(max_message_bytes)
        self._asked_limits = SharedAnswer(lambda: self._transport.run(iter(self._limits)))
        self._questions = Questions()
        self._joins_searches = join_searches

    @property
    def limits(self) -> Coroutine[Any, Any, Limits]:
        """Return what the server accepts, to be awaited; asked for once."""
        return self._asked_limits.get()

    @cached_property
    def _joined(self) -> JoinedSearches:
        return JoinedSearches(self._transport.ask, self._asked_limits.get)

    async def server_info(self, *, timeout_s: float | None = None) -> ServerInfo:
        """Return what runs at the target and what it accepts."""
        return await self._transport.run(catalog.get_server_info(), timeout_s)

    async def create_vector_collection(
        self,
        name: str,
        dimension: int,
        *,
        encoder_digest: bytes = b"",
        index: IndexChoice | str = IndexChoice.AUTO,
        masked: bool | None = None,
        if_absent: bool = False,
        timeout_s: float | None = None,
    ) -> Collection:
        """Make a collection of ready vectors; see `Client`."""
        made = catalog.create_collection(
            name,
            Kind.VECTOR,
            dimension=dimension,
            encoder_digest=encoder_digest,
            index=index,
            mask_id=self._mask_id(masked),
        )
        return await self._made(name, made, timeout_s, if_absent=if_absent)

    async def create_code_collection(
        self,
        name: str,
        bits: int,
        *,
        encoder_digest: bytes = b"",
        index: IndexChoice | str = IndexChoice.AUTO,
        masked: bool | None = None,
        if_absent: bool = False,
        timeout_s: float | None = None,
    ) -> Collection:
        """Make a collection of ready binary codes; see `Client`."""
        made = catalog.create_collection(
            name,
            Kind.CODE,
            bits=bits,
            encoder_digest=encoder_digest,
            index=index,
            mask_id=self._mask_id(masked),
        )
        return await self._made(name, made, timeout_s, if_absent=if_absent)

    async def _made(
        self, name: str, made: Call[Collection], timeout_s: float | None, *, if_absent: bool
    ) -> Collection:
        """Return a new collection, or with `if_absent` the one of its name if it is the same."""
        try:
            return await self._transport.run(made, timeout_s)
        except AlreadyExists:
            if not if_absent:
                raise
        there = await self.get_collection(name, timeout_s=timeout_s)
        check_same(there, made)
        return there

    def _mask_id(self, masked: bool | None) -> str:
        """Return the name of the masks of a new collection: none, for there is no key."""
        if masked:
            raise ValueError("masks need a key: make the client with AsyncClient(target, key=...)")
        return ""

    async def get_collection(self, name: str, *, timeout_s: float | None = None) -> Collection:
        """Return a collection as it stands now; raises NotFound."""
        return await self._transport.run(catalog.get_collection(name), timeout_s)

    async def resolve(self, collection: str | Collection) -> Collection:
        """Return the collection of a name, asked for now; one that is given as it is."""
        return await self._transport.run(catalog.resolve(collection))

    async def list_collections(self, *, timeout_s: float | None = None) -> list[Collection]:
        """Return all collections, by name."""
        return await self._transport.run(catalog.list_collections(), timeout_s)

    async def delete_collection(self, name: str, *, timeout_s: float | None = None) -> None:
        """Remove a collection with all its items; raises NotFound. It cannot be undone."""
        await self._transport.run(catalog.delete_collection(name), timeout_s)

    async def replace_collection(
        self, name: str, replacement: str, sequence: int, *, timeout_s: float | None = None
    ) -> Collection:
        """Remove a collection and give its name to another in one step; see `Client`."""
        replaced = catalog.replace_collection(name, replacement, sequence)
        return await self._transport.run(replaced, timeout_s)

    async def push_model(
        self,
        checkpoint: str | Path,
        *,
        collection: str = "",
        name: str = "",
        on_progress: UploadProgress | None = None,
        timeout_s: float | None = None,
    ) -> Model:
        """Upload a checkpoint and set it to work; see `Client`.

        `on_progress` is called in the thread that reads the file.
        """
        sent = await asyncio.to_thread(upload, checkpoint, collection, name, on_progress)
        return await self._transport.run(sent, timeout_s)

    async def list_models(self, *, timeout_s: float | None = None) -> list[Model]:
        """Return the models that the server holds, newest first."""
        return await self._transport.run(catalog.list_models(), timeout_s)

    async def delete_model(self, digest: bytes, *, timeout_s: float | None = None) -> None:
        """Remove a model by the SHA-256 of its checkpoint; see `Client`."""
        await self._transport.run(catalog.delete_model(digest), timeout_s)

    async def index_encrypted(
        self,
        collection: str | Collection,
        item_ids: Sequence[str],
        pictures: Iterable[EncryptedPicture | CodedPicture],
        *,
        revisions: Sequence[int] | None = None,
        owner_tags: Sequence[bytes] | None = None,
        tags: Sequence[BlindedTags] | None = None,
        timeout_s: float | None = None,
    ) -> IndexResult:
        """Write pictures that were encrypted before; see `Client`.

        `pictures` is iterated in a thread.
        """
        heads = ItemHeads.of(item_ids, revisions, owner_tags, tags)
        written = indexing.index_pictures(collection, heads, pictures, self._limits)
        return await self._transport.run(written, timeout_s, in_thread=True)

    async def delete(
        self,
        collection: str | Collection,
        item_ids: Iterable[str],
        *,
        up_to_sequence: int | None = None,
        timeout_s: float | None = None,
    ) -> int:
        """Delete items and return how many were there; see `Client`."""
        deleted = items.delete_items(collection, item_ids, self._limits, up_to_sequence)
        return await self._transport.run(deleted, timeout_s)

    async def list_items(
        self, collection: str | Collection, *, page_size: int = 0, timeout_s: float | None = None
    ) -> AsyncIterator[ItemSummary]:
        """Yield all items in the order of their ids; see `Client`."""
        following: Call[items.Page] | None = items.list_page(name_of(collection), page_size)
        while following is not None:
            page = await self._transport.run(following, timeout_s)
            for item in page.items:
                yield item
            following = page.following

    async def fetch(
        self,
        collection: str | Collection,
        item_ids: Iterable[str],
        *,
        view: ItemView = ItemView.FULL,
        timeout_s: float | None = None,
    ) -> AsyncIterator[Fetched]:
        """Yield what became of every id, in their order; see `Client`."""
        where = await self.resolve(collection)
        for stream in items.fetch_streams(where, item_ids, await self.limits, view):
            async for fetched in self._transport.stream(stream, timeout_s):
                yield fetched

    async def exists(
        self,
        collection: str | Collection,
        item_ids: Iterable[str],
        *,
        timeout_s: float | None = None,
    ) -> dict[str, bool]:
        """Return for every id whether an item is stored under it; see `Client`."""
        heads = self.fetch(collection, item_ids, view=ItemView.HEAD, timeout_s=timeout_s)
        return {each.item_id: each.state is not ItemState.MISSING async for each in heads}

    async def search_cipher_images(
        self,
        collection: str | Collection,
        queries: Sequence[CipherImage],
        k: int = 20,
        *,
        with_items: bool = False,
        options: SearchOptions = DEFAULT_OPTIONS,
        timeout_s: float | None = None,
    ) -> list[Hits]:
        """Return the k most similar items of every encrypted query; see `Client`."""
        found = searching.search_images(
            collection, queries, k, options, self._limits, with_items=with_items
        )
        slow = with_items or _are_many(queries)
        return await self._transport.run(found, timeout_s, in_thread=slow)

    async def search_vectors(
        self,
        collection: str | Collection,
        vectors: npt.ArrayLike,
        k: int = 20,
        *,
        with_items: bool = False,
        options: SearchOptions = DEFAULT_OPTIONS,
        timeout_s: float | None = None,
    ) -> list[Hits]:
        """Return the k most similar items of every query, by cosine; see `Client`."""
        rows = await _converted(vector_rows, vectors)
        return await self._search_rows(
            collection, rows, k, options, timeout_s, with_items=with_items
        )

    async def search_codes(
        self,
        collection: str | Collection,
        codes: npt.NDArray[np.uint8],
        k: int = 20,
        *,
        with_items: bool = False,
        options: SearchOptions = DEFAULT_OPTIONS,
        timeout_s: float | None = None,
    ) -> list[Hits]:
        """Return the k nearest items of every query, by Hamming distance; see `Client`."""
        rows = await _converted(code_rows, codes)
        return await self._search_rows(
            collection, rows, k, options, timeout_s, with_items=with_items
        )

    async def _search_rows(
        self,
        collection: str | Collection,
        rows: Rows,
        k: int,
        options: SearchOptions,
        timeout_s: float | None,
        *,
        with_items: bool,
    ) -> list[Hits]:
        """Search by rows; one alone may go with those of other tasks."""
        if len(rows) != 1 or with_items:
            found = searching.search_rows(
                collection, rows, k, options, self._limits, with_items=with_items
            )
            slow = with_items or _are_many(rows)
            return await self._transport.run(found, timeout_s, in_thread=slow)
        question = self._questions.of(collection, k, options, rows)
        seconds = self._deadlines.of(Work.SEARCH, timeout_s)
        if self._joins_searches:
            return await self._joined.search(question, rows.tobytes(), seconds)
        return await self._transport.ask(question.call(rows.tobytes()), seconds)


async def _converted(convert: Callable[[_Queries], Rows], queries: _Queries) -> Rows:
    """Return queries as rows; many are converted in a thread."""
    if _are_many(queries):
        return await asyncio.to_thread(convert, queries)
    return convert(queries)


def _are_many(queries: object) -> bool:
    """Return whether it takes long to make requests of queries and to read their answers."""
    return not isinstance(queries, Sized) or len(queries) > _FEW_QUERIES
