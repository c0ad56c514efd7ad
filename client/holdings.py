"""The items of a collection, as ciphertext: write, delete, list, fetch, search."""

from collections.abc import Iterable, Iterator, Sequence

import grpc
import numpy as np
import numpy.typing as npt

from cipherlens.client import searching
from cipherlens.client.batches import batched
from cipherlens.client.catalog import Catalog
from cipherlens.client.channel import invoke
from cipherlens.client.collection import Collection
from cipherlens.client.conversion import fetched_from, hits_from, item_from, summary_from
from cipherlens.client.errors import UnreadableAnswer, from_rpc_error
from cipherlens.client.features import code_rows, vector_rows
from cipherlens.client.indexing import IndexResult, ItemHeads, joined, picture_requests
from cipherlens.client.item import Fetched, Hits, Item, ItemSummary
from cipherlens.client.picture import CodedPicture, EncryptedPicture
from cipherlens.client.searching import DEFAULT_OPTIONS, SearchOptions
from cipherlens.crypto import CipherImage
from cipherlens.v1 import retrieval_service_pb2 as messages

_ITEMS_SHARE = 2  # of a message: hits that come along take at most half, the rest is fetched


class Holdings(Catalog):
    """The calls that need no key."""

    def index_encrypted(
        self,
        collection: str | Collection,
        item_ids: Sequence[str],
        pictures: Iterable[EncryptedPicture | CodedPicture],
        *,
        revisions: Sequence[int] | None = None,
        owner_tags: Sequence[bytes] | None = None,
        timeout_s: float | None = None,
    ) -> IndexResult:
        """Write pictures that were encrypted before, as `EncryptionClient.encrypt` returns them.

        A call takes cipher-images or codes. Every batch is written whole or not at all; when
        this returns, all are on disk and searchable. Sealed originals open only under the
        revisions that they were sealed for.
        """
        heads = ItemHeads.of(item_ids, revisions, owner_tags)
        requests = picture_requests(_name(collection), heads, pictures, self.limits)
        return self._write(requests, timeout_s)

    def delete(
        self,
        collection: str | Collection,
        item_ids: Iterable[str],
        *,
        timeout_s: float | None = None,
    ) -> int:
        """Delete items and return how many were there; unknown ids are no error."""
        deleted = 0
        for ids in self._id_batches(item_ids):
            request = messages.DeleteRequest(collection=_name(collection), item_ids=ids)
            answer = invoke(self._stub.Delete, request, timeout_s or self.deadlines.write_s)
            deleted += answer.deleted_count
        return deleted

    def list_items(
        self,
        collection: str | Collection,
        *,
        page_size: int = 0,
        timeout_s: float | None = None,
    ) -> Iterator[ItemSummary]:
        """Yield all items in the order of their ids; asks for a page when it is needed.

        `timeout_s` is for each page; 0 as `page_size` takes the largest that the server gives.
        """
        request = messages.ListItemsRequest(collection=_name(collection), page_size=page_size)
        while True:
            page = invoke(self._stub.ListItems, request, timeout_s or self.deadlines.quick_s)
            yield from map(summary_from, page.items)
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def fetch(
        self,
        collection: str | Collection,
        item_ids: Iterable[str],
        *,
        timeout_s: float | None = None,
    ) -> Iterator[Fetched]:
        """Yield what became of every id, in their order, with the item where it is present.

        An id that is unknown or damaged is a state, not an error. `timeout_s` is for each stream.

        Raises:
            UnreadableAnswer: the server gives other items than those asked for: a sealed original
                opens as the item that it was sealed for, so the name must be checked here.
        """
        where = self.resolve(collection)
        seconds = timeout_s or self.deadlines.fetch_s
        for ids in self._id_batches(item_ids):
            request = messages.FetchRequest(collection=where.name, item_ids=ids)
            wanted = iter(ids)
            try:
                for answer in self._stub.Fetch(request, timeout=seconds):
                    yield fetched_from(answer, next(wanted, None), where.uuid)
            except grpc.RpcError as error:
                raise from_rpc_error(error) from error
            if (missing := next(wanted, None)) is not None:
                raise UnreadableAnswer(f"the server did not say what became of item {missing!r}")

    def search_cipher_images(
        self,
        collection: str | Collection,
        queries: Sequence[CipherImage],
        k: int = 20,
        *,
        with_items: bool = False,
        options: SearchOptions = DEFAULT_OPTIONS,
        timeout_s: float | None = None,
    ) -> list[Hits]:
        """Return the k most similar items of every encrypted query; see `search_vectors`."""
        requests = searching.image_requests(_name(collection), queries, k, options, self.limits)
        return self._search(collection, requests, with_items, timeout_s)

    def search_vectors(
        self,
        collection: str | Collection,
        vectors: npt.ArrayLike,
        k: int = 20,
        *,
        with_items: bool = False,
        options: SearchOptions = DEFAULT_OPTIONS,
        timeout_s: float | None = None,
    ) -> list[Hits]:
        """Return the k most similar items of every query, by cosine.

        Args:
            collection: a vector collection.
            vectors: (queries, dimension), taken as float32; any length but zero.
            k: hits wanted; fewer come only if the collection holds fewer.
            with_items: let the hits carry their items.
            options: how to search.
            timeout_s: how long each call may take.

        Raises:
            ValueError: the vectors are no table or not finite, or k is below 1.
        """
        requests = searching.feature_requests(
            _name(collection), vector_rows(vectors), k, options, self.limits
        )
        return self._search(collection, requests, with_items, timeout_s)

    def search_codes(
        self,
        collection: str | Collection,
        codes: npt.NDArray[np.uint8],
        k: int = 20,
        *,
        with_items: bool = False,
        options: SearchOptions = DEFAULT_OPTIONS,
        timeout_s: float | None = None,
    ) -> list[Hits]:
        """Return the k nearest items of every query, by Hamming distance.

        `codes` is (queries, ceil(bits / 8)) uint8, as `pack_bits` makes them: in the words of the
        DLHEIR paper, the trapdoors. See `search_vectors` for the rest.
        """
        requests = searching.feature_requests(
            _name(collection), code_rows(codes), k, options, self.limits
        )
        return self._search(collection, requests, with_items, timeout_s)

    def resolve(self, collection: str | Collection) -> Collection:
        """Return the collection of a name, asked for now; one that is given as it is."""
        return self.get_collection(collection) if isinstance(collection, str) else collection

    def _id_batches(self, item_ids: Iterable[str]) -> Iterator[list[str]]:
        """Yield ids in batches that the server accepts."""
        return batched(
            item_ids,
            lambda item_id: len(item_id.encode()),
            max_bytes=self.limits.max_message_bytes,
            max_items=self.limits.max_batch_items,
        )

    def _write(
        self, requests: Iterable[messages.IndexRequest], timeout_s: float | None
    ) -> IndexResult:
        """Send batches one after another and return what they wrote."""
        seconds = timeout_s or self.deadlines.write_s
        return joined(invoke(self._stub.Index, request, seconds) for request in requests)

    def _search(
        self,
        collection: str | Collection,
        requests: Iterable[messages.SearchRequest],
        with_items: bool,
        timeout_s: float | None,
    ) -> list[Hits]:
        """Return the hits of all queries, in their order."""
        seconds = timeout_s or self.deadlines.search_s
        if with_items:
            collection = self.resolve(collection)
        hits: list[Hits] = []
        for request in requests:
            if with_items:
                request.item_budget_bytes = self.limits.max_message_bytes // _ITEMS_SHARE
            answer = invoke(self._stub.Search, request, seconds)
            items = self._items_of(answer, collection) if with_items else []
            hits += hits_from(answer, items)
        return hits

    def _items_of(
        self, answer: messages.SearchResponse, collection: str | Collection
    ) -> list[Item]:
        """Return the items of all hits: those that came along, the rest fetched."""
        where = self.resolve(collection)
        items = [item_from(message, where.uuid) for message in answer.items]
        here = {item.item_id for item in items}
        wanted = dict.fromkeys(name for result in answer.results for name in result.item_ids)
        missing = [name for name in wanted if name not in here]
        items += [found.item for found in self.fetch(where, missing) if found.item is not None]
        return items


def _name(collection: str | Collection) -> str:
    """Return the name that requests use."""
    return collection if isinstance(collection, str) else collection.name
