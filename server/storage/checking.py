"""Whether a row of any table, as it is stored, agrees with its checksum."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from sqlalchemy import Row, Table

from cipherlens.server.storage import schema
from cipherlens.server.storage.checksum import agrees
from cipherlens.server.storage.collections import is_whole
from cipherlens.server.storage.records import CipherPixels
from cipherlens.server.storage.rows import (
    ciphertext_agrees,
    item_agrees,
    representation_agrees,
)


def row_agrees(table: Table, row: Row[Any]) -> bool:
    """Return whether a row, its columns in their order, is as it was written.

    Notes of deletions have no checksum: nothing but time depends on them.
    """
    check = _CHECKS.get(table)
    return check is None or check(*row)


def _collection(*row: Any) -> bool:
    return is_whole(dict(zip(schema.collections.c.keys(), row, strict=True)))


def _generation(_number: int, *row: Any) -> bool:
    return _values(*row)


def _values(*row: Any) -> bool:
    *values, stored = row
    return agrees(stored, *values)


def _item(_collection: int, *row: Any) -> bool:
    return item_agrees(*row)


def _ciphertext(_collection: int, item_id: str, *row: Any) -> bool:
    height, width, nonce, pixels, sealed, stored = row
    cipher = CipherPixels(height=height, width=width, nonce=nonce, pixels=pixels)
    return ciphertext_agrees(item_id, cipher, sealed, stored)


def _representation(
    _generation: int, item_id: str, sequence: int, data: bytes, stored: bytes
) -> bool:
    return representation_agrees(item_id, sequence, sequence, data, stored)


_CHECKS: Mapping[Table, Callable[..., bool]] = MappingProxyType(
    {
        schema.collections: _collection,
        schema.generations: _generation,
        schema.models: _values,
        schema.items: _item,
        schema.ciphertexts: _ciphertext,
        schema.representations: _representation,
    }
)
