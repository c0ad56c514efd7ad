"""The client: index, search and open images that the server never sees."""

from collections.abc import Iterable, Sequence

import grpc
import numpy as np
import numpy.typing as npt
from PIL import Image

from cipherlens.base import CipherProfile, IndexChoice
from cipherlens.client import keyed
from cipherlens.client.access import OPEN, Access
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
from cipherlens.client.keyless import KeylessClient
from cipherlens.client.originals import decrypt_item, open_checked, restore_checked
from cipherlens.client.picture import Picture
from cipherlens.crypto import CipherImage, Key, Manifest, Original


class Client(KeyHolder, KeylessClient):
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
        key: Key | None = None,
        access: Access = OPEN,
        channel: grpc.Channel | None = None,
        deadlines: Deadlines | None = None,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
    ) -> None:
        """Make the channel; it connects with the first call.

        Args:
            target: "HOST:PORT", "[IPv6]:PORT" or "unix:PATH".
            key: encrypts and decrypts; such as `Keyring.load(path, passphrase).get(name)`.
            access: TLS, a token and more; a token goes with every call, over a `channel` too.
            channel: one of the caller's own, which he closes, in place of one to the target; what
                its messages, retries and encryption are, is his to say.
            deadlines: how long each kind of call may take.
            max_message_bytes: the largest message sent or taken.

        Raises:
            ValueError: a token would leave this machine unencrypted.
            OSError: a file that `access` names cannot be read.
        """
        super().__init__(
            target,
            access=access,
            channel=channel,
            deadlines=deadlines,
            max_message_bytes=max_message_bytes,
        )
        self.key = key
        self._described = KnownCollections()

    def create_cipher_collection(
        self,
        name: str,
        profile: CipherProfile | None = None,
        *,
        index: IndexChoice | str = IndexChoice.AUTO,
        model_digest: bytes = b"",
        if_absent: bool = False,
        timeout_s: float | None = None,
    ) -> Collection:
        """Make a collection of cipher-images, of this client's key unless a profile is given.

        Args:
            name: the name that requests will use.
            profile: what every cipher-image in it will claim.
            index: how it is searched, of `IndexChoice`: "auto" takes what is fastest.
            model_digest: SHA-256 of a model that the server holds, which is set to work at once.
            if_absent: take the collection of the name, if it is there and the same.

        Raises:
            AlreadyExists: the name is taken, with `if_absent` by another one.
            NotFound, FailedPrecondition: the model is not there, or is of other cipher-images.
        """
        made = keyed.create_collection(name, profile, self._in_use, index, model_digest)
        return self._made(name, made, timeout_s, if_absent=if_absent)

    def index_images(
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
        """Encrypt pictures, seal their originals and write both.

        Pictures are read as they are needed, about 8 MiB at a time. Every batch is written whole
        or not at all; when this returns, all are on disk and searchable. A picture that cannot be
        read ends the call; `index_folder` is the one that skips and resumes.

        Args:
            collection: a cipher collection of this client's key.
            item_ids: the owner's ids, which the server reads; `Naming.id_of` makes keyed ones.
            pictures: one for each.
            seal: store the original file too, sealed; without, only the cipher-image is there.
            revisions: one for each, higher with every change; None takes the time of this call.
            owner_tags: bytes that `list_items` gives back, one for each.
            tags: what each may be found by, such as ["holiday", "camera=x100"]: at most 64 texts of
                128 bytes. The server has keyed tokens in their place, and the texts sealed.

        Raises:
            ImageError: a picture cannot be read.
            FailedPrecondition: the collection is of another key or has no model yet.
            ValueError: there are not as many pictures as ids: nothing is written, unless they have
                no length, when only the last batch is not.
        """
        heads = ItemHeads.of(item_ids, revisions, owner_tags)
        written = keyed.index_pictures(
            collection, heads, pictures, self._limits, self._in_use, seal=seal, tags=tags
        )
        return self._run(written, timeout_s)

    def index_vectors(
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
        """Write ready vectors, (items, dimension) taken as float32, and seal their originals.

        A vector is no ciphertext: who has it and the encoder can tell much of the picture.
        The other arguments are those of `index_images`.
        """
        heads = ItemHeads.of(item_ids, revisions, owner_tags)
        written = keyed.index_vectors(
            collection, heads, vectors, originals, self._limits, self._in_use, tags
        )
        return self._run(written, timeout_s)

    def index_codes(
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
        """Write ready codes, (items, ceil(bits / 8)) uint8, and seal their originals.

        `make_codes` makes such rows of pictures, `pack_bits` of bits; `originals` may be the same
        pictures, whose files are sealed as they are. The other arguments are those of
        `index_images`.
        """
        heads = ItemHeads.of(item_ids, revisions, owner_tags)
        written = keyed.index_codes(
            collection, heads, codes, originals, self._limits, self._in_use, tags
        )
        return self._run(written, timeout_s)

    def masked(self, where: Collection, rows: Rows) -> Rows:
        """Return vectors or codes as a collection's server has them: under its mask, if it has one.

        Searching and indexing do that by themselves; this is to compare with what was fetched.

        Raises:
            WrongKey: the collection is masked under another key.
        """
        return needed(self._in_use).masks.masked(where, rows)

    def unmasked(self, where: Collection, rows: Rows) -> Rows:
        """Return what `masked` was given, the vectors but for rounding to float32."""
        return needed(self._in_use).masks.unmasked(where, rows)

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
        """Search by rows, under the mask of the collection if it has one."""
        check_k(k)
        if self._in_use is None:
            return super()._search_rows(
                collection, rows, k, options, timeout_s, with_items=with_items
            )
        for is_last in (False, True):
            where = self._run(self._described.of(collection), timeout_s)
            masked, asked = self._in_use.asked(where, rows, options)
            try:
                return super()._search_rows(
                    collection, masked, k, asked, timeout_s, with_items=with_items
                )
            except FailedPrecondition as error:
                if is_last or error.reason not in OF_ANOTHER_COLLECTION:
                    raise
                self._described.forget(collection)  # it is another one by now
        raise AssertionError("the second try returns or raises")

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
        found = keyed.search_pictures(
            collection, pictures, k, options, self._limits, self._in_use, with_items=with_items
        )
        return self._run(found, timeout_s)

    def count(
        self,
        collection: str | Collection,
        tags: TagFilter = EVERY_ITEM,
        *,
        min_sequence: int = 0,
        timeout_s: float | None = None,
    ) -> int:
        """Return how many items searches may find, or how many of them a filter of tags keeps.

        With `min_sequence` it waits until the count sees that change.
        """
        counted = keyed.count_items(collection, tags, min_sequence, self._in_use)
        return self._run(counted, timeout_s)

    def item_tags(
        self,
        collection: str | Collection,
        item_ids: Iterable[str],
        *,
        manifest: Manifest | None = None,
        timeout_s: float | None = None,
    ) -> dict[str, list[str]]:
        """Return the tags of items by their ids, sorted and opened here; of those that are there.

        Raises:
            OpenError: the server gave others than were sealed for the item's revision.
            StaleItem: it left them out, by the owner's manifest.
        """
        opened = keyed.item_tags(collection, item_ids, self._limits, self._in_use, manifest)
        return self._run(opened, timeout_s)

    def item_names(
        self,
        collection: str | Collection,
        item_ids: Iterable[str],
        *,
        timeout_s: float | None = None,
    ) -> dict[str, str]:
        """Return the names of items by their ids, opened here; of those that are there.

        They are what `index_folder` took, paths within the folder; an id that is no keyed one is
        its own name. What is sent are the ids.

        Raises:
            OpenError: the server gave a name that is not that of the item.
        """
        return self._run(
            keyed.item_names(collection, item_ids, self._limits, self._in_use), timeout_s
        )

    def encrypt_query(self, picture: Picture | CipherImage) -> CipherImage:
        """Return a picture as the server may see it; a `CipherImage` as it is."""
        return keyed.query_of(picture, self._in_use)

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
            WrongKey: the cipher-image beside it says that it is of another key.
            StaleItem: it is older than the caller or the manifest knows.
        """
        return open_checked(item, self._in_use, min_revision, manifest)

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
        return restore_checked(item, self._in_use, min_revision, manifest)
