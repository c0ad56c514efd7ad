"""The client: index, search and open images that the server never sees."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from cipherlens.base import CipherProfile, Kind
from cipherlens.client.channel import DEFAULT_TARGET, MAX_MESSAGE_BYTES
from cipherlens.client.core import catalog, indexing, items
from cipherlens.client.core.batches import as_many, check_count
from cipherlens.client.core.call import Call
from cipherlens.client.core.catalog import UploadProgress, name_of
from cipherlens.client.core.collection import Collection, Limits, Model, ServerInfo
from cipherlens.client.core.content import Rows, code_rows, vector_rows
from cipherlens.client.core.deadlines import Deadlines
from cipherlens.client.core.indexing import IndexResult, ItemHeads
from cipherlens.client.core.item import Fetched, Hits, Item, ItemSummary
from cipherlens.client.core.pictures import CodedPicture, EncryptedPicture
from cipherlens.client.core.searching import DEFAULT_OPTIONS, SearchOptions, search
from cipherlens.client.key_in_use import KeyInUse
from cipherlens.client.originals import check_age, check_bare, decrypt_item, open_item, restore_item
from cipherlens.client.picture import Picture, prepare_query
from cipherlens.client.shell import Shell
from cipherlens.crypto import CipherImage, ImageCipher, KeyEntry, Manifest, Original
from cipherlens.v1.retrieval_service_pb2 import ModelHeader
from cipherlens.v1.retrieval_service_pb2_grpc import RetrievalServiceStub

_CHUNK_BYTES = 2**20


class Client(Shell):
    """Finds images among encrypted images; threads may share one.

        with Client("127.0.0.1:50051", key=keyring.get()) as client:
            client.create_cipher_collection("photos")
            client.push_model("photos.safetensors", collection="photos")
            client.index_images("photos", ["a", "b"], [Path("a.jpg"), Path("b.jpg")])
            hits = client.search_image("photos", Path("query.jpg"), k=20, with_items=True)
            pictures = [client.open_original(hit.item) for hit in hits if hit.item]

    Pictures are encrypted and originals sealed in this process, under `key`; neither the key nor
    a plain picture leaves it. Without a key it handles ciphertext, ready vectors and ready codes.

    A `collection` argument is a name, or a `Collection` where its UUID is known already: sealing
    and opening need it, and with a name it is asked for. `timeout_s` is for each call that a method
    makes; where it is left out, `deadlines` says how long. Every method raises `CipherLensError` or
    one of its classes when the server refuses or does not answer, and ValueError for what is
    wrong before anything is sent.
    """

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        key: KeyEntry | None = None,
        deadlines: Deadlines | None = None,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
    ) -> None:
        """Make the channel; it connects with the first call.

        Args:
            target: "HOST:PORT", "[IPv6]:PORT" or "unix:PATH".
            key: encrypts and decrypts; such as `Keyring.load(path, passphrase).get(name)`.
            deadlines: how long each kind of call may take.
            max_message_bytes: the largest message sent or taken.
        """
        super().__init__(RetrievalServiceStub, target, deadlines, max_message_bytes)
        self.key = key

    @property
    def key(self) -> KeyEntry | None:
        """Return the key that encrypts, seals and opens, if any; it may be set."""
        return None if self._in_use is None else self._in_use.entry

    @key.setter
    def key(self, key: KeyEntry | None) -> None:
        """Take a key in place of the one before, and its cipher with it."""
        self._in_use = None if key is None else KeyInUse(key)

    @property
    def cipher(self) -> ImageCipher:
        """Return the image cipher of the key; ValueError if there is none."""
        return self._keyed().cipher

    @cached_property
    def limits(self) -> Limits:
        """Return what the server accepts; asked for once."""
        return self.server_info().limits

    def server_info(self, *, timeout_s: float | None = None) -> ServerInfo:
        """Return what runs at the target and what it accepts."""
        return self._run(catalog.get_server_info(), timeout_s)

    def create_cipher_collection(
        self, name: str, profile: CipherProfile | None = None, *, timeout_s: float | None = None
    ) -> Collection:
        """Make a collection of cipher-images, of this client's key unless a profile is given.

        Raises:
            AlreadyExists: the name is taken.
        """
        profile = self._keyed().entry.profile if profile is None else profile
        made = catalog.create_collection(name, Kind.CIPHER, profile=profile)
        return self._run(made, timeout_s)

    def create_vector_collection(
        self,
        name: str,
        dimension: int,
        *,
        encoder_digest: bytes = b"",
        timeout_s: float | None = None,
    ) -> Collection:
        """Make a collection of ready vectors, compared by cosine similarity.

        Args:
            name: the name that requests will use.
            dimension: numbers in a vector.
            encoder_digest: SHA-256 of what makes the vectors; searches may then ask for it.

        Raises:
            AlreadyExists: the name is taken.
        """
        made = catalog.create_collection(
            name, Kind.VECTOR, dimension=dimension, encoder_digest=encoder_digest
        )
        return self._run(made, timeout_s)

    def create_code_collection(
        self, name: str, bits: int, *, encoder_digest: bytes = b"", timeout_s: float | None = None
    ) -> Collection:
        """Make a collection of ready binary codes, compared by Hamming distance.

        Args:
            name: the name that requests will use.
            bits: 12, 24, 32, 48, 64, 128 or 256.
            encoder_digest: SHA-256 of what makes the codes; searches may then ask for it.

        Raises:
            AlreadyExists: the name is taken.
        """
        made = catalog.create_collection(name, Kind.CODE, bits=bits, encoder_digest=encoder_digest)
        return self._run(made, timeout_s)

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
        path = Path(checkpoint)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
            size = file.tell()
        header = ModelHeader(
            collection=collection, size_bytes=size, digest=digest, name=name or path.stem
        )
        return self._run(catalog.push_model(header, _chunks(path), on_progress), timeout_s)

    def list_models(self, *, timeout_s: float | None = None) -> list[Model]:
        """Return the models that the server holds, newest first."""
        return self._run(catalog.list_models(), timeout_s)

    def index_images(
        self,
        collection: str | Collection,
        item_ids: Sequence[str],
        pictures: Iterable[Picture],
        *,
        seal: bool = True,
        revisions: Sequence[int] | None = None,
        owner_tags: Sequence[bytes] | None = None,
        timeout_s: float | None = None,
    ) -> IndexResult:
        """Encrypt pictures, seal their originals and write both.

        Pictures are read as they are needed, about 8 MiB at a time. Every batch is written whole
        or not at all; when this returns, all are on disk and searchable. A picture that cannot be
        read ends the call; `index_folder` is the one that skips and resumes.

        Args:
            collection: a cipher collection of this client's key.
            item_ids: the owner's names.
            pictures: one for each.
            seal: store the original file too, sealed; without, only the cipher-image is there.
            revisions: one for each, higher with every change; None takes the time of this call.
            owner_tags: bytes that `list_items` gives back, one for each.

        Raises:
            ImageError: a picture cannot be read.
            FailedPrecondition: the collection is of another key or has no model yet.
            ValueError: there are not as many pictures as ids: nothing is written, unless they have
                no length, when only the last batch is not.
        """
        key, heads = self._keyed(), ItemHeads.of(item_ids, revisions, owner_tags)
        plain = as_many("pictures", pictures, len(item_ids))
        where = self.resolve(collection)
        encrypted = key.encrypted(plain, heads.places(where.uuid) if seal else None)
        requests = indexing.picture_requests(where.name, heads, encrypted, self.limits)
        return self._run(indexing.write(requests), timeout_s)

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

        A call takes cipher-images or codes. Sealed originals open only under the revisions that
        they were sealed for. What is written when, and ValueError, are as in `index_images`.
        """
        heads = ItemHeads.of(item_ids, revisions, owner_tags)
        requests = indexing.picture_requests(name_of(collection), heads, pictures, self.limits)
        return self._run(indexing.write(requests), timeout_s)

    def index_vectors(
        self,
        collection: str | Collection,
        item_ids: Sequence[str],
        vectors: npt.ArrayLike,
        *,
        originals: Sequence[Original | Picture] | None = None,
        revisions: Sequence[int] | None = None,
        owner_tags: Sequence[bytes] | None = None,
        timeout_s: float | None = None,
    ) -> IndexResult:
        """Write ready vectors, (items, dimension) taken as float32, and seal their originals.

        A vector is no ciphertext: who has it and the encoder can tell much of the picture.
        The other arguments are those of `index_images`.
        """
        heads = ItemHeads.of(item_ids, revisions, owner_tags)
        return self._index_rows(collection, heads, vector_rows(vectors), originals, timeout_s)

    def index_codes(
        self,
        collection: str | Collection,
        item_ids: Sequence[str],
        codes: npt.NDArray[np.uint8],
        *,
        originals: Sequence[Original | Picture] | None = None,
        revisions: Sequence[int] | None = None,
        owner_tags: Sequence[bytes] | None = None,
        timeout_s: float | None = None,
    ) -> IndexResult:
        """Write ready codes, (items, ceil(bits / 8)) uint8, and seal their originals.

        `make_codes` makes such rows of pictures, `pack_bits` of bits; `originals` may be the same
        pictures, whose files are sealed as they are. The other arguments are those of
        `index_images`.
        """
        heads = ItemHeads.of(item_ids, revisions, owner_tags)
        return self._index_rows(collection, heads, code_rows(codes), originals, timeout_s)

    def delete(
        self,
        collection: str | Collection,
        item_ids: Iterable[str],
        *,
        timeout_s: float | None = None,
    ) -> int:
        """Delete items and return how many were there; unknown ids are no error."""
        return self._run(items.delete_items(name_of(collection), item_ids, self.limits), timeout_s)

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
        timeout_s: float | None = None,
    ) -> Iterator[Fetched]:
        """Yield what became of every id, in their order, with the item where it is present.

        An id that is unknown or damaged is a state, not an error. `timeout_s` is for each stream.

        Raises:
            UnreadableAnswer: the server gives other items than those asked for.
        """
        where = self.resolve(collection)
        for stream in items.fetch_streams(where, item_ids, self.limits):
            yield from self._transport.stream(stream, timeout_s)

    def search_image(
        self,
        collection: str | Collection,
        picture: Picture | CipherImage,
        k: int = 20,
        *,
        with_items: bool = False,
        options: SearchOptions = DEFAULT_OPTIONS,
        timeout_s: float | None = None,
    ) -> Hits:
        """Return the k items most similar to one picture; see `search_images`."""
        return self.search_images(
            collection, [picture], k, with_items=with_items, options=options, timeout_s=timeout_s
        )[0]

    def search_images(
        self,
        collection: str | Collection,
        pictures: Sequence[Picture | CipherImage],
        k: int = 20,
        *,
        with_items: bool = False,
        options: SearchOptions = DEFAULT_OPTIONS,
        timeout_s: float | None = None,
    ) -> list[Hits]:
        """Encrypt query pictures and return the k most similar items of each, by cosine.

        Args:
            collection: a cipher collection.
            pictures: the queries; a `CipherImage` is sent as it is and needs no key.
            k: hits wanted; fewer come only if the collection holds fewer.
            with_items: let the hits carry their items, ready for `open_original`.
            options: how to search.

        Raises:
            ImageError: a picture cannot be read.
            FailedPrecondition: the queries are of another key than the collection.
        """
        queries = [self.encrypt_query(picture) for picture in pictures]
        return self.search_cipher_images(
            collection, queries, k, with_items=with_items, options=options, timeout_s=timeout_s
        )

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
        found = search(collection, queries, k, options, self.limits, with_items=with_items)
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
        rows = vector_rows(vectors)
        found = search(collection, rows, k, options, self.limits, with_items=with_items)
        return self._run(found, timeout_s)

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
        rows = code_rows(codes)
        found = search(collection, rows, k, options, self.limits, with_items=with_items)
        return self._run(found, timeout_s)

    def encrypt_query(self, picture: Picture | CipherImage) -> CipherImage:
        """Return a picture as the server may see it; a `CipherImage` as it is."""
        if isinstance(picture, CipherImage):
            return picture
        cipher = self.cipher
        return cipher.encrypt_image(prepare_query(picture, cipher.parameters))

    def open_original(
        self, item: Item, *, min_revision: int = 0, manifest: Manifest | None = None
    ) -> Original:
        """Return the sealed original of an item, byte for byte.

        Args:
            item: from a search with items, or from `fetch`.
            min_revision: the newest revision that the caller knows of.
            manifest: the owner's signed list, as `Manifest.verify` returns it.

        Raises:
            ValueError: the item has no sealed original.
            OpenError: it was altered, swapped or re-labelled, or is of another key.
            StaleItem: it is older than the caller or the manifest knows.
        """
        check_age(item, min_revision, manifest)
        return open_item(item, self._keyed().entry)

    def decrypt(self, item: Item) -> Image.Image:
        """Return the prepared picture in an item's cipher-image.

        Nothing vouches for it: a server can alter a cipher-image. An original has a seal.

        Raises:
            ValueError: the item has no cipher-image.
            CipherMismatch: it is of another key.
        """
        return decrypt_item(item, self.cipher)

    def restore(
        self, item: Item, *, min_revision: int = 0, manifest: Manifest | None = None
    ) -> Original:
        """Return the sealed original, or where there is none a PNG of the decrypted cipher-image.

        The arguments and errors are those of `open_original` and `decrypt`. A server can leave
        the seal out: only a manifest then tells whether the picture is the owner's.

        Raises:
            ManifestError: there is neither a seal nor the owner's signature for the revision.
        """
        check_age(item, min_revision, manifest)
        check_bare(item, manifest)
        key = self._keyed()
        return restore_item(item, key.entry, key.cipher)

    def _keyed(self) -> KeyInUse:
        """Return the key at work; ValueError if there is none."""
        if self._in_use is None:
            raise ValueError("this needs a key: make the client with Client(target, key=...)")
        return self._in_use

    def _index_rows(
        self,
        collection: str | Collection,
        heads: ItemHeads,
        rows: Rows,
        originals: Sequence[Original | Picture] | None,
        timeout_s: float | None,
    ) -> IndexResult:
        """Write vectors or codes, and originals sealed beside them where there are any."""
        sealed = [b""] * len(heads.item_ids)
        if originals is not None:
            check_count("originals", originals, len(heads.item_ids))
            collection = self.resolve(collection)
            sealed = self._keyed().sealed(originals, rows, heads.places(collection.uuid))
        requests = indexing.row_requests(name_of(collection), heads, rows, sealed, self.limits)
        return self._run(indexing.write(requests), timeout_s)


def _chunks(path: Path) -> Iterator[bytes]:
    """Yield a file in pieces. gRPC takes them in a thread that may outlive a refused call."""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk
