"""A collection brought under another key while it serves.

Its items are copied, one batch after the other, into a collection of the new key beside it: opened
with the old key, encrypted and sealed with the new one, at the same revisions. When nothing has
changed since, that collection takes its name and place in one step. Until then queries under the
old key are answered and those under the new one refused, and afterwards it is the other way round.
What was copied stays where a run ends early, so the next one goes on from there. Tags are made
anew of what is sealed of them: tokens that somebody stored without it are lost.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cipherlens.base import Kind
from cipherlens.client.client import Client
from cipherlens.client.core.batches import batched
from cipherlens.client.core.collection import Collection
from cipherlens.client.core.item import Fetched, Item, ItemState
from cipherlens.client.errors import FailedPrecondition
from cipherlens.client.key_in_use import check_key
from cipherlens.client.moved_names import MovedNames
from cipherlens.client.originals import check_vouched
from cipherlens.client.picture import Picture, PreparedPicture, prepare_picture
from cipherlens.client.tagging import Tagging
from cipherlens.crypto import KeyEntry, Manifest, Original

_PASSES = 20  # each copies what changed during the one before
_FETCHED = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class RotationReport:
    """What a rotation has done.

    Attributes:
        copied: items that this run has brought over.
        collection: what serves now.
        absent: ids of items that the manifest lists and the server did not have.
    """

    copied: int
    collection: Collection
    absent: tuple[str, ...]


class Moved(NamedTuple):
    """An item as it will stand under the new key."""

    item_id: str
    item: Item
    owner_tag: bytes
    original: Original | None
    tags: list[str]


class Rotation:
    """One rotation of one collection."""

    def __init__(
        self,
        old: Client,
        new: Client,
        name: str,
        *,
        checkpoint: str | None = None,
        manifest: Manifest | None = None,
        on_copied: Callable[[int, int], None] = lambda _done, _of: None,
    ) -> None:
        """Take the two sides.

        Args:
            old: has the key that the collection is under.
            new: has the owner's key that it shall be under; of the same server.
            name: the collection.
            checkpoint: path of the model for the new key, where the one that serves is bound to the
                old key; None takes that.
            manifest: the owner's of the collection; what it shows to be old or altered is not
                brought over, for under the new key it would count as his.
            on_copied: called with the items that are under the new key, and with all there are.
        """
        self._old, self._new, self._name = old, new, name
        self._checkpoint = checkpoint
        self._manifest = manifest
        self._on_copied = on_copied
        self._copied = 0
        self._absent: tuple[str, ...] = ()

    def run(self) -> RotationReport:
        """Copy what is not copied yet, put the copy in the collection's place, and say so.

        Raises:
            WrongKey: the collection is of another key than the old one.
            NotGenuine: an item does not open, or is not what the manifest lists.
            ValueError: an item is damaged, or cannot be made again at the new key's size.
            FailedPrecondition: the model is bound to the old key; or others kept changing the
                collection all the while.
            CipherLensError: the server refuses; run it again to go on.
        """
        for _ in range(_PASSES):
            where = self._old.get_collection(self._name)
            check_key(where, _owner(self._old))
            beside = self._beside(where)
            self._copy(where, beside)
            try:
                served = self._new.replace_collection(self._name, beside.name, where.sequence)
            except FailedPrecondition as error:
                if error.reason != "COLLECTION_CHANGED":
                    raise
                changed = error
            else:
                return RotationReport(copied=self._copied, collection=served, absent=self._absent)
        raise changed

    def _beside(self, where: Collection) -> Collection:
        """Return the collection of the new key beside one, made if it is not there."""
        name = f"{where.name}.to-{_owner(self._new).fingerprint.hex()[:16]}"
        for each in self._new.list_collections():
            if each.name == name:
                return each
        digest, masked = where.active.model_digest if where.active else b"", bool(where.mask_id)
        if where.kind is Kind.CODE:
            return self._new.create_code_collection(
                name, where.bits, encoder_digest=digest, index=where.index_choice, masked=masked
            )
        if where.kind is Kind.VECTOR:
            return self._new.create_vector_collection(
                name,
                where.dimension,
                encoder_digest=digest,
                index=where.index_choice,
                masked=masked,
            )
        held = b"" if self._checkpoint else digest
        made = self._new.create_cipher_collection(name, index=where.index_choice, model_digest=held)
        if self._checkpoint:
            self._new.push_model(self._checkpoint, collection=name)
        return made

    def _copy(self, where: Collection, beside: Collection) -> None:
        """Bring the collection beside to what the other one holds now."""
        names = MovedNames(_owner(self._old), where.uuid, _owner(self._new), beside.uuid)
        there = {item.item_id: item.revision for item in self._new.list_items(beside)}
        wanted = {names.moved_id(item): item for item in self._old.list_items(where)}
        if self._manifest is not None:
            here = {item.item_id for item in wanted.values()}
            self._absent = tuple(each for each in self._manifest.items if each not in here)
        missing = [
            item.item_id for item_id, item in wanted.items() if there.get(item_id) != item.revision
        ]
        done = len(wanted) - len(missing)
        self._on_copied(done, len(wanted))
        for batch in batched(self._opened(where, missing, names), _size_bytes, max_items=_FETCHED):
            self._put(where, beside, batch)
            self._copied += len(batch)
            done += len(batch)
            self._on_copied(done, len(wanted))
        gone = [item_id for item_id in there if item_id not in wanted]
        if gone:
            self._new.delete(beside, gone)

    def _opened(
        self, where: Collection, item_ids: Iterable[str], names: MovedNames
    ) -> Iterator[Moved]:
        """Yield items opened with the old key; those that are gone meanwhile are passed over."""
        tagging = Tagging(_owner(self._old), where.uuid)
        for fetched in self._old.fetch(where, item_ids):
            if fetched.item is None:
                _check_gone(fetched)
                continue
            item = fetched.item
            check_vouched(item, 0, self._manifest)
            original = self._old.open_original(item) if item.sealed_original else None
            encoder_digest = b"" if where.active is None else where.active.model_digest
            if where.kind is Kind.CIPHER:
                encoder_digest = b""
            tags = tagging.read(item) if item.sealed_tags else []
            yield Moved(
                names.moved_id(item),
                item,
                names.owner_tag(item, original, encoder_digest, tags),
                original,
                tags,
            )

    def _put(self, where: Collection, beside: Collection, batch: Sequence[Moved]) -> None:
        """Write items under the new key; codes and vectors with and without originals apart."""
        if beside.kind is Kind.CIPHER:
            pictures = [self._picture(each) for each in batch]
            self._new.index_images(
                beside,
                [each.item_id for each in batch],
                pictures,
                revisions=[each.item.revision for each in batch],
                owner_tags=[each.owner_tag for each in batch],
                tags=[each.tags for each in batch],
            )
            return
        for sealed in (True, False):
            part = [each for each in batch if (each.original is not None) is sealed]
            if part:
                self._put_rows(where, beside, part)

    def _put_rows(self, where: Collection, beside: Collection, part: Sequence[Moved]) -> None:
        ids = [each.item_id for each in part]
        originals: list[Original | Picture] = [each.original for each in part if each.original]
        revisions = [each.item.revision for each in part]
        owner_tags = [each.owner_tag for each in part]
        tags = [each.tags for each in part]
        if beside.kind is Kind.CODE:
            codes = np.stack([each.item.code for each in part if each.item.code is not None])
            self._new.index_codes(
                beside,
                ids,
                np.asarray(self._old.unmasked(where, codes), np.uint8),
                originals=originals or None,
                revisions=revisions,
                owner_tags=owner_tags,
                tags=tags,
            )
        else:
            rows = np.stack([each.item.vector for each in part if each.item.vector is not None])
            self._new.index_vectors(
                beside,
                ids,
                self._old.unmasked(where, rows),
                originals=originals or None,
                revisions=revisions,
                owner_tags=owner_tags,
                tags=tags,
            )

    def _picture(self, moved: Moved) -> PreparedPicture:
        """Return an item's picture at the size of the new key: as it is, or from its original."""
        old, new = self._old.cipher.parameters, self._new.cipher.parameters
        if (old.height, old.width) == (new.height, new.width):
            assert moved.item.cipher_image is not None
            pixels = self._old.cipher.decrypt_image(moved.item.cipher_image)
            return PreparedPicture(pixels=pixels, original=moved.original)
        if moved.original is None:
            raise ValueError(
                f"item {moved.item.item_id!r} has no sealed original to make it at "
                f"{new.height}x{new.width} of; take a key of {old.height}x{old.width}"
            )
        prepared = prepare_picture(moved.original.data, new)
        return PreparedPicture(pixels=prepared.pixels, original=moved.original)


def _owner(client: Client) -> KeyEntry:
    """Return a client's key. Raises ValueError unless it is an owner's."""
    if not isinstance(client.key, KeyEntry):
        raise ValueError("rotating a collection needs the owner's old and new key")
    return client.key


def _check_gone(fetched: Fetched) -> None:
    """Raise ValueError unless an item that did not come was deleted meanwhile."""
    if fetched.state is not ItemState.MISSING:
        raise ValueError(
            f"item {fetched.item_id!r} is {fetched.state}: index it again, or delete it"
        )


def _size_bytes(moved: Moved) -> int:
    pixels = 0 if moved.item.cipher_image is None else moved.item.cipher_image.pixels.nbytes
    return pixels + len(moved.item.sealed_original)
