"""`Client`, awaited: index, search and open images that the server never sees."""

import asyncio
from collections.abc import Iterable, Sequence

import grpc
import numpy as np
import numpy.typing as npt
from PIL import Image

from cipherlens.base import CipherProfile, IndexChoice
from cipherlens.client import keyed
from cipherlens.client.access import OPEN, Access
from cipherlens.client.async_keyless import AsyncKeylessClient
from cipherlens.client.channel import DEFAULT_TARGET, MAX_MESSAGE_BYTES
from cipherlens.client.core.catalog import KnownCollections
from cipherlens.client.core.collection import Collection
from cipherlens.client.core.content import Rows
from cipherlens.client.core.deadlines import Deadlines
from cipherlens.client.core.indexing import IndexResult, ItemHeads
from cipherlens.client.core.item import Hits, Item
from cipherlens.client.core.question import DEFAULT_OPTIONS, SearchOptions, check_k
from cipherlens.client.core.tags import EVERY_ITEM, TagFilter
from cipherlens.client.errors import OF_ANOTHER_COLLECTION, FailedPrecondition
from cipherlens.client.key_in_use import KeyHolder, needed
from cipherlens.client.originals import decrypt_item, open_checked, restore_checked
from cipherlens.client.picture import Picture
from cipherlens.crypto import CipherImage, Key, Manifest, Original


class AsyncClient(KeyHolder, AsyncKeylessClient):
    """`Client` for an event loop; the tasks of one loop may share one.

        async with AsyncClient("127.0.0.1:50051", key=keyring.get()) as client:
            searches = [client.search_image("photos", path, k=20) for path in paths]
            hits = await asyncio.gather(*searches)
            async for item in client.list_items("photos"):
                print(item.item_id)

    Methods, arguments, deadlines and errors are those of `Client`. What returns there is awaited
    here, `limits` too, and what iterates there is iterated with `async for`. Pictures and files
    are read, encrypted, sealed and opened in threads, so that the loop goes on; arguments must not
    change meanwhile. A task that is cancelled cancels its call.
    """

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        key: Key | None = None,
        access: Access = OPEN,
        channel: grpc.aio.Channel | None = None,
        deadlines: Deadlines | None = None,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        join_searches: bool = True,
    ) -> None:
        """Take where to connect, with the first call.

        Args:
            target: as all before `join_searches`, what `Client` takes.
            key: the same.
            access: the same; its files are read with the first call.
            channel: one of `grpc.aio`, of the loop that the calls are made in.
            deadlines: the same.
            max_message_bytes: the same.
            join_searches: whether searches by one vector or code that wait at the same time, and
                ask the same but for it, go as one request.
        """
        super().__init__(
            target,
            access=access,
            channel=channel,
            deadlines=deadlines,
            max_message_bytes=max_message_bytes,
            join_searches=join_searches,
        )
        self.key = key
        self._described = KnownCollections()

    async def create_cipher_collection(
        self,
        name: str,
        profile: CipherProfile | None = None,
        *,
        index: IndexChoice | str = IndexChoice.AUTO,
        model_digest: bytes = b"",
        if_absent: bool = False,
        timeout_s: float | None = None,
    ) -> Collection:
        """Make a collection of cipher-images; see `Client`."""
        made = keyed.create_collection(name, profile, self._in_use, index, model_digest)
        return await self._made(name, made, timeout_s, if_absent=if_absent)

    async def index_images(
        self,
        collection: str | Collection,
        item_ids: Sequence[str],
        pictures: Iterable[Picture],
        *,
        seal: bool = True,
        revisions: Sequence[int] | None = None,
        owner_tags: Sequence[bytes] | None = None,
        tags: Sequence[Iterable[str]] | None = None,
        timeout_s: float | None = None,
    ) -> IndexResult:
        """Encrypt pictures, seal their originals and write both; see `Client`.

        `pictures` is iterated in a thread.
        """
        heads = ItemHeads.of(item_ids, revisions, owner_tags)
        written = keyed.index_pictures(
            collection, heads, pictures, self._limits, self._in_use, seal=seal, tags=tags
        )
        return await self._transport.run(written, timeout_s, in_thread=True)

    async def index_vectors(
        self,
        collection: str | Collection,
        item_ids: Sequence[str],
        vectors: npt.ArrayLike,
        *,
        originals: Sequence[Original | Picture] | None = None,
        revisions: Sequence[int] | None = None,
        owner_tags: Sequence[bytes] | None = None,
        tags: Sequence[Iterable[str]] | None = None,
        timeout_s: float | None = None,
    ) -> IndexResult:
        """Write ready vectors and seal their originals; see `Client`."""
        heads = ItemHeads.of(item_ids, revisions, owner_tags)
        written = keyed.index_vectors(
            collection, heads, vectors, originals, self._limits, self._in_use, tags
        )
        return await self._transport.run(written, timeout_s, in_thread=True)

    async def index_codes(
        self,
        collection: str | Collection,
        item_ids: Sequence[str],
        codes: npt.NDArray[np.uint8],
        *,
        originals: Sequence[Original | Picture] | None = None,
        revisions: Sequence[int] | None = None,
        owner_tags: Sequence[bytes] | None = None,
        tags: Sequence[Iterable[str]] | None = None,
        timeout_s: float | None = None,
    ) -> IndexResult:
        """Write ready codes and seal their originals; see `Client`."""
        heads = ItemHeads.of(item_ids, revisions, owner_tags)
        written = keyed.index_codes(
            collection, heads, codes, originals, self._limits, self._in_use, tags
        )
        return await self._transport.run(written, timeout_s, in_thread=True)

    async def masked(self, where: Collection, rows: Rows) -> Rows:
        """Return vectors or codes as a collection's server has them; see `Client`."""
        return await asyncio.to_thread(needed(self._in_use).masks.masked, where, rows)

    async def unmasked(self, where: Collection, rows: Rows) -> Rows:
        """Return what `masked` was given; see `Client`."""
        return await asyncio.to_thread(needed(self._in_use).masks.unmasked, where, rows)

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
        """Search by rows, under the mask of the collection if it has one; as `Client` does."""
        search = super()._search_rows
        if self._in_use is None:
            return await search(collection, rows, k, options, timeout_s, with_items=with_items)
        check_k(k)
        for is_last in (False, True):
            where = await self._transport.run(self._described.of(collection), timeout_s)
            masked, asked = self._in_use.asked(where, rows, options)
            try:
                return await search(collection, masked, k, asked, timeout_s, with_items=with_items)
            except FailedPrecondition as error:
                if is_last or error.reason not in OF_ANOTHER_COLLECTION:
                    raise
                self._described.forget(collection)
        raise AssertionError("the second try returns or raises")

    async def search_image(
        self,
        collection: str | Collection,
        picture: Picture | CipherImage,
        k: int = 20,
        *,
        with_items: bool = False,
        options: SearchOptions = DEFAULT_OPTIONS,
        timeout_s: float | None = None,
    ) -> Hits:
        """Return the k items most similar to one picture; see `Client`."""
        (hits,) = await self.search_images(
            collection, [picture], k, with_items=with_items, options=options, timeout_s=timeout_s
        )
        return hits

    async def search_images(
        self,
        collection: str | Collection,
        pictures: Sequence[Picture | CipherImage],
        k: int = 20,
        *,
        with_items: bool = False,
        options: SearchOptions = DEFAULT_OPTIONS,
        timeout_s: float | None = None,
    ) -> list[Hits]:
        """Encrypt query pictures and return the k most similar items of each; see `Client`."""
        found = keyed.search_pictures(
            collection, pictures, k, options, self._limits, self._in_use, with_items=with_items
        )
        return await self._transport.run(found, timeout_s, in_thread=True)

    async def count(
        self,
        collection: str | Collection,
        tags: TagFilter = EVERY_ITEM,
        *,
        min_sequence: int = 0,
        timeout_s: float | None = None,
    ) -> int:
        """Return how many items there are, or how many a filter of tags keeps; see `Client`."""
        counted = keyed.count_items(collection, tags, min_sequence, self._in_use)
        return await self._transport.run(counted, timeout_s)

    async def item_tags(
        self,
        collection: str | Collection,
        item_ids: Iterable[str],
        *,
        manifest: Manifest | None = None,
        timeout_s: float | None = None,
    ) -> dict[str, list[str]]:
        """Return the tags of items by their ids, opened here; see `Client`."""
        opened = keyed.item_tags(collection, item_ids, self._limits, self._in_use, manifest)
        return await self._transport.run(opened, timeout_s, in_thread=True)

    async def item_names(
        self,
        collection: str | Collection,
        item_ids: Iterable[str],
        *,
        timeout_s: float | None = None,
    ) -> dict[str, str]:
        """Return the names of items by their ids, opened here; see `Client`."""
        named = keyed.item_names(collection, item_ids, self._limits, self._in_use)
        return await self._transport.run(named, timeout_s, in_thread=True)

    async def encrypt_query(self, picture: Picture | CipherImage) -> CipherImage:
        """Return a picture as the server may see it; a `CipherImage` as it is."""
        return await asyncio.to_thread(keyed.query_of, picture, self._in_use)

    async def open_original(
        self, item: Item, *, min_revision: int = 0, manifest: Manifest | None = None
    ) -> Original:
        """Return the sealed original of an item, byte for byte; see `Client`."""
        return await asyncio.to_thread(open_checked, item, self._in_use, min_revision, manifest)

    async def decrypt(self, item: Item) -> Image.Image:
        """Return the prepared picture in an item's cipher-image; see `Client`."""
        return await asyncio.to_thread(lambda: decrypt_item(item, self.cipher))

    async def restore(
        self, item: Item, *, min_revision: int = 0, manifest: Manifest | None = None
    ) -> Original:
        """Return the sealed original, or where there is none the picture; see `Client`."""
        return await asyncio.to_thread(restore_checked, item, self._in_use, min_revision, manifest)
