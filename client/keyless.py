"""The calls that need no key: collections, models, ciphertext, ready vectors and ready codes."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import grpc
import numpy as np
import numpy.typing as npt

from cipherlens.base import IndexChoice, Kind
from cipherlens.client.access import OPEN, Access
from cipherlens.client.channel import DEFAULT_TARGET, MAX_MESSAGE_BYTES
from cipherlens.client.core import catalog, indexing, items, searching
from cipherlens.client.core.call import Call
from cipherlens.client.core.catalog import KnownLimits, UploadProgress, name_of
from cipherlens.client.core.collection import Collection, Limits, Model, ServerInfo
from cipherlens.client.core.content import Rows, code_rows, vector_rows
from cipherlens.client.core.deadlines import Deadlines
from cipherlens.client.core.indexing import IndexResult, ItemHeads
from cipherlens.client.core.item import Fetched, Hits, ItemState, ItemSummary, ItemView
from cipherlens.client.core.pictures import CodedPicture, EncryptedPicture
from cipherlens.client.core.question import DEFAULT_OPTIONS, Questions, SearchOptions
from cipherlens.client.core.tags import BlindedTags
from cipherlens.client.errors import AlreadyExists
from cipherlens.client.model_file import upload
from cipherlens.client.same_collection import check_same
from cipherlens.client.shell import Shell
from cipherlens.crypto import CipherImage
from cipherlens.v1.retrieval_service_pb2_grpc import RetrievalServiceStub


class KeylessClient(Shell):
    """What `Client` does without a key."""

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        access: Access = OPEN,
        channel: grpc.Channel | None = None,
        deadlines: Deadlines | None = None,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
    ) -> None:
        """Make the channel; it connects with the first call. The arguments are `Client`'s."""
        super().__init__(
            RetrievalServiceStub, target, deadlines, max_message_bytes, access, channel
        )
        self._limits = KnownLimits(max_message_bytes)
        self._questions = Questions()

    @property
    def limits(self) -> Limits:
        """Return what the server and this channel accept; the server is asked once."""
        return self._run(iter(self._limits))

    def server_info(self, *, timeout_s: float | None = None) -> ServerInfo:
        """Return what runs at the target and what it accepts."""
        return self._run(catalog.get_server_info(), timeout_s)

    def create_vector_collection(
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
        """Make a collection of ready vectors, compared by cosine similarity.

        Args:
            name: the name that requests will use.
            dimension: numbers in a vector.
            encoder_digest: SHA-256 of what makes the vectors; searches may then ask for it.
            index: how it is searched, of `IndexChoice`: "auto" takes what is fastest.
            masked: put masks of the client's key over the vectors, which keep their distances;
                None does so if the client has a key.
            if_absent: take the collection of the name, if it is there and the same.

        Raises:
            AlreadyExists: the name is taken, with `if_absent` by another one.
        """
        made = catalog.create_collection(
            name,
            Kind.VECTOR,
            dimension=dimension,
            encoder_digest=encoder_digest,
            index=index,
            mask_id=self._mask_id(masked),
        )
        return self._made(name, made, timeout_s, if_absent=if_absent)

    def create_code_collection(
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
        """Make a collection of ready binary codes, compared by Hamming distance.

        Args:
            name: the name that requests will use.
            bits: 12, 24, 32, 48, 64, 128 or 256.
            encoder_digest: SHA-256 of what makes the codes; searches may then ask for it.
            index: how it is searched, of `IndexChoice`: "auto" takes what is fastest; codes have
                no "hnsw".
            masked, if_absent: as in `create_vector_collection`.

        Raises:
            AlreadyExists: the name is taken, with `if_absent` by another one.
        """
        made = catalog.create_collection(
            name,
            Kind.CODE,
            bits=bits,
            encoder_digest=encoder_digest,
            index=index,
            mask_id=self._mask_id(masked),
        )
        return self._made(name, made, timeout_s, if_absent=if_absent)

    def _made(
        self, name: str, made: Call[Collection], timeout_s: float | None, *, if_absent: bool
    ) -> Collection:
        """Return a new collection, or with `if_absent` the one of its name if it is the same."""
        try:
            return self._run(made, timeout_s)
        except AlreadyExists:
            if not if_absent:
                raise
        there = self.get_collection(name, timeout_s=timeout_s)
        check_same(there, made)
        return there

    def _mask_id(self, masked: bool | None) -> str:
        """Return the name of the masks of a new collection: none, for there is no key."""
        if masked:
            raise ValueError("masks need a key: make the client with Client(target, key=...)")
        return ""

    def get_collection(self, name: str, *, timeout_s: float | None = None) -> Collection:
        """Return a collection as it stands now.

        Raises:
            NotFound: there is none of that name.
        """
        return self._run(catalog.get_collection(name), timeout_s)

    def resolve(self, collection: str | Collection) -> Collection:
        """Return the collection of a name, asked for now; one that is given as it is."""
        return self._run(catalog.resolve(collection))

    def list_collections(self, *, timeout_s: float | None = None) -> list[Collection]:
        """Return all collections, by name."""
        return self._run(catalog.list_collections(), timeout_s)

    def delete_collection(self, name: str, *, timeout_s: float | None = None) -> None:
        """Remove a collection with all its items; it cannot be undone.

        Raises:
            NotFound: there is none of that name.
        """
        self._run(catalog.delete_collection(name), timeout_s)

    def replace_collection(
        self, name: str, replacement: str, sequence: int, *, timeout_s: float | None = None
    ) -> Collection:
        """Remove a collection and give its name to another in one step, and return that.

        Args:
            name: what is removed, and what the other one is called from then on.
            replacement: the collection that takes its place.
            sequence: the last change of the one to remove that the caller knows.

        Raises:
            FailedPrecondition: it has changed since, with the reason "COLLECTION_CHANGED".
            InvalidArgument: the two are of different kinds, or the replacement has no model.
        """
        return self._run(catalog.replace_collection(name, replacement, sequence), timeout_s)

    def push_model(
        self,
        checkpoint: str | Path,
        *,
        collection: str = "",
        name: str = "",
        on_progress: UploadProgress | None = None,
        timeout_s: float | None = None,
    ) -> Model:
        """Upload a checkpoint, set it to work in a cipher collection, and return it as held.

        Args:
            checkpoint: the safetensors file.
            collection: name of the collection; empty only keeps the model.
            name: a name for people; the file's own if empty.
            on_progress: called as bytes leave.

        Raises:
            InvalidArgument: the file is no checkpoint that the server reads.
            FailedPrecondition: it was trained for another profile than the collection's.
            OSError: the file cannot be read.
        """
        return self._run(upload(checkpoint, collection, name, on_progress), timeout_s)

    def list_models(self, *, timeout_s: float | None = None) -> list[Model]:
        """Return the models that the server holds, newest first."""
        return self._run(catalog.list_models(), timeout_s)

    def delete_model(self, digest: bytes, *, timeout_s: float | None = None) -> None:
        """Remove a model by the SHA-256 of its checkpoint.

        Raises:
            FailedPrecondition: it serves a collection, or fills one.
        """
        self._run(catalog.delete_model(digest), timeout_s)

    def index_encrypted(
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
        """Write pictures that were encrypted before, as `EncryptionClient.encrypt` returns them.

        A call takes cipher-images or codes; `tags` are those of `Tagging.of_items`. Sealed
        originals and tags open only under the revisions that they were sealed for. What is written
        when, and ValueError, are as in `index_images`.
        """
        heads = ItemHeads.of(item_ids, revisions, owner_tags, tags)
        written = indexing.index_pictures(collection, heads, pictures, self._limits)
        return self._run(written, timeout_s)

    def delete(
        self,
        collection: str | Collection,
        item_ids: Iterable[str],
        *,
        up_to_sequence: int | None = None,
        timeout_s: float | None = None,
    ) -> int:
        """Delete items and return how many were there; unknown ids are no error.

        What was written after the change `up_to_sequence` stays; None takes the last one before
        this call. So a call that is repeated, however late, destroys nothing that came later.
        """
        deleted = items.delete_items(collection, item_ids, self._limits, up_to_sequence)
        return self._run(deleted, timeout_s)

    def list_items(
        self, collection: str | Collection, *, page_size: int = 0, timeout_s: float | None = None
    ) -> Iterator[ItemSummary]:
        """Yield all items in the order of their ids; asks for a page when it is needed.

        0 as `page_size` takes the largest that the server gives.
        """
        following: Call[items.Page] | None = items.list_page(name_of(collection), page_size)
        while following is not None:
            page = self._run(following, timeout_s)
            yield from page.items
            following = page.following

    def fetch(
        self,
        collection: str | Collection,
        item_ids: Iterable[str],
        *,
        view: ItemView = ItemView.FULL,
        timeout_s: float | None = None,
    ) -> Iterator[Fetched]:
        """Yield what became of every id, in their order, with the item where it is present.

        `view` says how much of it. An id that is unknown or damaged is a state, not an error.
        `timeout_s` is for each stream.

        Raises:
            UnreadableAnswer: the server gives other items than those asked for.
        """
        where = self.resolve(collection)
        for stream in items.fetch_streams(where, item_ids, self.limits, view):
            yield from self._transport.stream(stream, timeout_s)

    def exists(
        self,
        collection: str | Collection,
        item_ids: Iterable[str],
        *,
        timeout_s: float | None = None,
    ) -> dict[str, bool]:
        """Return for every id whether an item is stored under it, be it damaged."""
        heads = self.fetch(collection, item_ids, view=ItemView.HEAD, timeout_s=timeout_s)
        return {each.item_id: each.state is not ItemState.MISSING for each in heads}

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
        """Return the k most similar items of every encrypted query; see `search_images`."""
        found = searching.search_images(
            collection, queries, k, options, self._limits, with_items=with_items
        )
        return self._run(found, timeout_s)

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

        `vectors` is (queries, dimension), taken as float32, of any length but zero. The other
        arguments are those of `search_images`.

        Raises:
            ValueError: the vectors are no table or not finite, or k is below 1.
        """
        return self._search_rows(
            collection, vector_rows(vectors), k, options, timeout_s, with_items=with_items
        )

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
        DLHEIR paper, the trapdoors. The other arguments are those of `search_images`.
        """
        return self._search_rows(
            collection, code_rows(codes), k, options, timeout_s, with_items=with_items
        )

    def _search_rows(
        self,
        collection: str | Collection,
        rows: Rows,
        k: int,
        options: SearchOptions,
        timeout_s: float | None,
        *,
        with_items: bool,
    ) -> list[Hits]:
        """Search by rows; one alone fits into any message and asks nothing else."""
        if len(rows) == 1 and not with_items:
            question = self._questions.of(collection, k, options, rows)
            return self._run(question.call(rows.tobytes()), timeout_s)
        found = searching.search_rows(
            collection, rows, k, options, self._limits, with_items=with_items
        )
        return self._run(found, timeout_s)
