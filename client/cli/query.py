"""What is searched by: a picture, a cipher-image, a ready vector or code, or an item."""

import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from cipherlens.base import Kind, read_regular
from cipherlens.client import Client, Collection, Hits, ItemView, Naming, SearchOptions, make_codes
from cipherlens.client.cli.failure import NOT_FOUND, USAGE, CommandError, about
from cipherlens.client.cli.files import CIPHER_SUFFIX, MAX_SEALED_FILE_BYTES
from cipherlens.client.cli.hash_network import encoder_for
from cipherlens.client.cli.streams import STREAM, read_input
from cipherlens.client.core.content import Rows, code_rows, vector_rows
from cipherlens.client.picture import MAX_PICTURE_BYTES
from cipherlens.crypto import CipherImage, FormatError, Keyring, is_keyed_id, open_image

ROWS_SUFFIX = ".npy"
_NPY = b"\x93NUMPY"

Query = CipherImage | Rows
"""What the server is given: a cipher-image, or one vector or code as the server has them."""


@dataclass(frozen=True, eq=False, slots=True)
class Asked:
    """A query before it is known what it is asked of.

    Attributes:
        label: what people call it.
        picture: to be shown beside its hits; None where there is none.
        ready: a cipher-image, or one plain vector or code; None for a picture or an item.
        item: the name or id of an item that is stored.
    """

    label: str
    picture: Image.Image | None = None
    ready: Query | None = None
    item: str = ""


def asked_by(path: Path | None, item: str | None) -> Asked:
    """Return what the command line says.

    Raises:
        CommandError: it says both, or nothing, or a file is not what its name says.
    """
    if (path is None) == (item is None):
        raise CommandError("name a picture, or an item by --like", exit_code=USAGE)
    if path is None:
        return Asked(label=str(item), item=str(item))
    if path == STREAM:
        return _streamed()
    with about(path):
        if path.suffix == CIPHER_SUFFIX:
            data = read_regular(path, MAX_SEALED_FILE_BYTES)
            return Asked(label=path.name, ready=CipherImage.from_bytes(data))
        if path.suffix == ROWS_SUFFIX:
            return Asked(label=path.name, ready=_one_row(path, path))
        return Asked(label=path.name, picture=open_image(path))


def _streamed() -> Asked:
    """Return the query on standard input, which is told by how it begins."""
    data, label = read_input(MAX_PICTURE_BYTES), "standard input"
    with about(Path(label)):
        if data.startswith(_NPY):
            return Asked(label=label, ready=_one_row(io.BytesIO(data), label))
        try:
            return Asked(label=label, ready=CipherImage.from_bytes(data))
        except FormatError:
            return Asked(label=label, picture=open_image(data))


def query_of(
    client: Client,
    where: Collection,
    asked: Asked,
    network: Path | None,
    keys: Keyring,
    device: str,
    *,
    readable_ids: bool,
) -> Query:
    """Return the query as the server may see it.

    Raises:
        CommandError: there is no such item, or the file is not what the collection holds.
    """
    if asked.item:
        return _of_item(client, where, asked.item, readable_ids=readable_ids)
    if isinstance(asked.ready, CipherImage):
        return asked.ready
    if asked.ready is not None:
        return _masked(client, where, asked.ready)
    assert asked.picture is not None
    encoder = encoder_for(where, network, keys, device)
    if encoder is None:
        return client.encrypt_query(asked.picture)
    return _masked(client, where, make_codes([asked.picture], encoder))


def hits_of(
    client: Client,
    where: Collection,
    query: Query,
    k: int,
    options: SearchOptions,
    *,
    with_items: bool,
) -> Hits:
    """Return the hits."""
    if isinstance(query, CipherImage):
        return client.search_image(where, query, k, with_items=with_items, options=options)
    asked = replace(options, mask_id=where.mask_id)
    if query.dtype == np.uint8:
        codes = np.asarray(query, np.uint8)
        (hits,) = client.search_codes(where, codes, k, with_items=with_items, options=asked)
    else:
        (hits,) = client.search_vectors(where, query, k, with_items=with_items, options=asked)
    return hits


def _of_item(client: Client, where: Collection, name: str, *, readable_ids: bool) -> Query:
    """Return what an item is compared by, as it is stored; the server is given its id alone."""
    assert client.key is not None
    item_id = name
    if not readable_ids and not is_keyed_id(name):
        item_id = Naming(client.key, where.uuid).id_of(name)
    (fetched,) = client.fetch(where, [item_id], view=ItemView.CONTENT)
    item = fetched.item
    if item is None:
        raise CommandError(f"item {name!r} is {fetched.state}", exit_code=NOT_FOUND)
    if item.cipher_image is not None:
        return item.cipher_image
    if item.code is not None:
        return item.code[None]
    assert item.vector is not None
    return item.vector[None]


def _masked(client: Client, where: Collection, rows: Rows) -> Rows:
    """Return rows as the server has them.

    Raises:
        CommandError: the collection holds something else.
    """
    kind = Kind.CODE if rows.dtype == np.uint8 else Kind.VECTOR
    if where.kind is not kind:
        raise CommandError(
            f"collection {where.name!r} holds the kind {where.kind}, not {kind}", exit_code=USAGE
        )
    return client.masked(where, rows)


def rows_of(path: Path) -> Rows:
    """Return the vectors, floating-point numbers, or codes, packed into uint8, of an .npy file.

    Raises:
        CommandError: it is none, or holds something else.
    """
    return _loaded(path, path)


def _loaded(source: Path | io.BytesIO, place: object) -> Rows:
    mmap_mode: Literal["r"] | None = "r" if isinstance(source, Path) else None
    try:
        rows = np.load(source, mmap_mode=mmap_mode, allow_pickle=False)
        if rows.dtype == np.uint8:
            return code_rows(rows)
        if not np.issubdtype(rows.dtype, np.floating):
            raise ValueError(f"its numbers must be floating-point or uint8, got {rows.dtype}")
        return vector_rows(rows)
    except (ValueError, TypeError, EOFError) as error:
        raise CommandError(f"{place}: {error}", exit_code=USAGE) from error


def _one_row(source: Path | io.BytesIO, place: object) -> Rows:
    rows = _loaded(source, place)
    if len(rows) != 1:
        raise CommandError(f"{place}: a search is by one row, it has {len(rows)}", exit_code=USAGE)
    return rows
