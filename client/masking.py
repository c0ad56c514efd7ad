"""The masks that a key puts over the vectors and codes of its collections."""

import uuid
from dataclasses import replace

import numpy as np

from cipherlens.base import Kind
from cipherlens.client.core.collection import Collection
from cipherlens.client.core.content import Rows
from cipherlens.client.core.question import SearchOptions
from cipherlens.crypto import CodeMask, Key, VectorMask, WrongKey, mask_id

_PREFIX = mask_id(b"")
_FINGERPRINT_LETTERS = 32
_REMEMBERED = 64

Mask = CodeMask | VectorMask


def stated_key(where: Collection) -> bytes:
    """Return the fingerprint of the key that a collection says it is of; empty if it does not."""
    if where.profile is not None:
        return where.profile.key_fingerprint
    stated = "" if where.active is None else where.active.mask_id
    text = stated.removeprefix(_PREFIX)
    if text == stated or len(text) != _FINGERPRINT_LETTERS:
        return b""
    try:
        return bytes.fromhex(text)
    except ValueError:  # masks of somebody else's making
        return b""


class Masks:
    """The masks of one key; they are drawn once for each collection."""

    def __init__(self, key: Key) -> None:
        """Take the key; nothing is drawn yet."""
        self._key = key
        self._known: dict[tuple[uuid.UUID, str], Mask] = {}

    def of(self, where: Collection) -> Mask | None:
        """Return the mask of a collection; None if it has none.

        Raises:
            WrongKey: it is masked under another key; names both.
            NotGranted: the key is a granted one that has none for it.
        """
        if not where.mask_id:
            return None
        own = mask_id(self._key.fingerprint)
        if where.mask_id != f"{own}:{where.uuid}":
            raise WrongKey(
                f"collection {where.name!r} is under {where.mask_id.partition(':')[0]}, "
                f"the masks of key {self._key.name!r} are {own}"
            )
        known = self._known.get((where.uuid, where.mask_id))
        return self._drawn(where) if known is None else known

    def masked(self, where: Collection, rows: Rows) -> Rows:
        """Return vectors or codes as a collection's server may see them."""
        mask = self.of(where)
        if isinstance(mask, CodeMask) and rows.dtype == np.uint8:
            return mask.masked(np.asarray(rows, np.uint8))
        if isinstance(mask, VectorMask) and rows.dtype != np.uint8:
            return mask.masked(np.asarray(rows, np.float32))
        return rows  # of another kind than the collection: the server says so

    def unmasked(self, where: Collection, rows: Rows) -> Rows:
        """Return vectors or codes as their owner had them, the vectors but for rounding."""
        mask = self.of(where)
        if isinstance(mask, CodeMask):
            return mask.unmasked(np.asarray(rows, np.uint8))
        return rows if mask is None else mask.unmasked(np.asarray(rows, np.float32))

    def query(
        self, where: Collection, rows: Rows, options: SearchOptions
    ) -> tuple[Rows, SearchOptions]:
        """Return what to search by; where the caller names a mask, it is over the rows already."""
        if options.mask_id or not where.mask_id:
            return rows, options
        return self.masked(where, rows), replace(options, mask_id=where.mask_id)

    def _drawn(self, where: Collection) -> Mask:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        key = self._key.mask_key(where.uuid)
        mask = (
            CodeMask(key, where.bits)
            if where.kind is Kind.CODE
            else VectorMask(key, where.dimension)
        )
        self._known[where.uuid, where.mask_id] = mask
        return mask
