"""What a key takes part in, as steps: collections of it, pictures and originals, queries."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from cipherlens.base import CipherProfile, IndexChoice, Kind
from cipherlens.client.core import catalog, indexing, items, searching
from cipherlens.client.core.batches import as_many, check_count
from cipherlens.client.core.call import Call, Steps
from cipherlens.client.core.catalog import KnownLimits
from cipherlens.client.core.collection import Collection
from cipherlens.client.core.content import Rows, code_rows, vector_rows
from cipherlens.client.core.indexing import IndexResult, ItemHeads
from cipherlens.client.core.item import Hits, ItemView
from cipherlens.client.core.items import fetch_streams
from cipherlens.client.core.question import SearchOptions
from cipherlens.client.core.tags import TagFilter
from cipherlens.client.key_in_use import KeyInUse, check_key, needed
from cipherlens.client.naming import Naming
from cipherlens.client.picture import Picture
from cipherlens.crypto import CipherImage, Manifest, Original


def create_collection(
    name: str,
    profile: CipherProfile | None,
    key: KeyInUse | None,
    index: IndexChoice | str,
    model_digest: bytes,
) -> Call[Collection]:
    """Make a collection of cipher-images, of the key unless a profile is given."""
    profile = needed(key).entry.profile if profile is None else profile
    return catalog.create_collection(
        name, Kind.CIPHER, profile=profile, encoder_digest=model_digest, index=index
    )


def query_of(picture: Picture | CipherImage, key: KeyInUse | None) -> CipherImage:
    """Return a picture as the server may see it; a `CipherImage` as it is."""
    return picture if isinstance(picture, CipherImage) else needed(key).query(picture)


def search_pictures(
    collection: str | Collection,
    pictures: Sequence[Picture | CipherImage],
    k: int,
    options: SearchOptions,
    limits: KnownLimits,
    key: KeyInUse | None,
    *,
    with_items: bool,
) -> Steps[list[Hits]]:
    """Encrypt query pictures and search by them; the hits of every query, in their order."""
    queries = [query_of(picture, key) for picture in pictures]
    if options.tags:
        collection = yield from catalog.resolve(collection)
        options = needed(key).tags.options(collection, options)
    return (
        yield from searching.search_images(
            collection, queries, k, options, limits, with_items=with_items
        )
    )


def item_names(
    collection: str | Collection, item_ids: Iterable[str], limits: KnownLimits, key: KeyInUse | None
) -> Steps[dict[str, str]]:
    """Open the names of items; those that are not there have none."""
    entry = needed(key).entry
    where = yield from catalog.resolve(collection)
    naming = Naming(entry, where.uuid)
    names = {}
    for stream in fetch_streams(where, dict.fromkeys(item_ids), (yield from limits), ItemView.HEAD):
        for fetched in (yield from stream):
            if fetched.item is not None:
                names[fetched.item_id] = naming.name_of(fetched.item)
    return names


def count_items(
    collection: str | Collection, tags: TagFilter, min_sequence: int, key: KeyInUse | None
) -> Steps[int]:
    """Count items, all or those that a filter of tags keeps."""
    blinded = None
    if tags:
        collection = yield from catalog.resolve(collection)
        blinded = needed(key).tags.of(collection.uuid).asked(tags)
    return (yield from items.count_items(collection, blinded, min_sequence))


def item_tags(
    collection: str | Collection,
    item_ids: Iterable[str],
    limits: KnownLimits,
    key: KeyInUse | None,
    manifest: Manifest | None,
) -> Steps[dict[str, list[str]]]:
    """Open the tags of items, held to a manifest; those that are not there have none."""
    where = yield from catalog.resolve(collection)
    tagging = needed(key).tags.of(where.uuid)
    tags = {}
    for stream in fetch_streams(where, dict.fromkeys(item_ids), (yield from limits), ItemView.HEAD):
        for fetched in (yield from stream):
            if fetched.item is not None:
                tags[fetched.item_id] = tagging.read(fetched.item, manifest)
    return tags


def index_pictures(
    collection: str | Collection,
    heads: ItemHeads,
    pictures: Iterable[Picture],
    limits: KnownLimits,
    key: KeyInUse | None,
    *,
    seal: bool,
    tags: Sequence[Iterable[str]] | None = None,
) -> Steps[IndexResult]:
    """Encrypt pictures, seal their originals if that is wanted, and write both, as they come."""
    in_use, plain = needed(key), as_many("pictures", pictures, len(heads.item_ids))
    where = yield from catalog.resolve(collection)
    check_key(where, in_use.entry)
    heads = in_use.tagged(heads, tags, where)
    encrypted = in_use.encrypted(plain, heads.places(where.uuid) if seal else None)
    return (yield from indexing.index_pictures(where, heads, encrypted, limits))


def index_vectors(
    collection: str | Collection,
    heads: ItemHeads,
    vectors: npt.ArrayLike,
    originals: Sequence[Original | Picture] | None,
    limits: KnownLimits,
    key: KeyInUse | None,
    tags: Sequence[Iterable[str]] | None = None,
) -> Steps[IndexResult]:
    """Write vectors, which are checked first, and originals sealed where there are any."""
    rows = vector_rows(vectors)
    return (yield from _rows(collection, heads, rows, originals, limits, key, tags))


def index_codes(
    collection: str | Collection,
    heads: ItemHeads,
    codes: npt.NDArray[np.uint8],
    originals: Sequence[Original | Picture] | None,
    limits: KnownLimits,
    key: KeyInUse | None,
    tags: Sequence[Iterable[str]] | None = None,
) -> Steps[IndexResult]:
    """Write codes, which are checked first, and originals sealed beside them."""
    rows = code_rows(codes)
    return (yield from _rows(collection, heads, rows, originals, limits, key, tags))


def _rows(
    collection: str | Collection,
    heads: ItemHeads,
    rows: Rows,
    originals: Sequence[Original | Picture] | None,
    limits: KnownLimits,
    key: KeyInUse | None,
    tags: Sequence[Iterable[str]] | None,
) -> Steps[IndexResult]:
    """Write vectors or codes, and originals sealed beside them where there are any."""
    sealed, mask = [b""] * len(heads.item_ids), ""
    indexing.check_rows(len(heads.item_ids), rows, sealed)
    if originals is not None:
        check_count("originals", originals, len(heads.item_ids))
    if originals is not None or tags is not None:
        needed(key)
    if key is not None:
        collection = yield from catalog.resolve(collection)
        # Masked before it is sealed: the seal binds the code as the server has it.
        rows, mask = key.masks.masked(collection, rows), collection.mask_id
        heads = key.tagged(heads, tags, collection)
        if originals is not None:
            sealed = key.sealed(originals, rows, heads.places(collection.uuid))
    return (yield from indexing.index_rows(collection, heads, rows, sealed, limits, mask))
