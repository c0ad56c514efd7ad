"""Every byte that a server should have, and every search that should find it."""

import time

import numpy as np

from cipherlens.base import Kind
from cipherlens.client import Client, Collection, Item, SearchOptions
from tests.server.durability import content
from tests.server.durability.facts import Facts, items_of

_EXACT = SearchOptions(exact=True)
_SAMPLE = 20
_PATIENCE_S = 60.0


def check_collections(client: Client, facts: Facts, *, with_models: bool) -> None:
    """Raise AssertionError unless all items are there as they were written, and are found.

    Cipher-images are looked for only with models, which a server takes seconds to load.
    """
    for where in client.list_collections():
        held = items_of(facts, where.name)
        assert where.damaged_count == 0, where
        assert where.item_count == len(held), where
        assert where.index.sequence == where.sequence or where.active is None, where
        if held and not where.mask_id and where.active is not None:
            _check_items(client, where, held)
            if where.kind is not Kind.CIPHER:
                _check_found(client, where, held)
            elif with_models:
                _check_found_images(client, where, held)


def check_taken_over(client: Client, facts: Facts) -> None:
    """Wait until the models set to work last serve, and look again."""
    ends_at = time.monotonic() + _PATIENCE_S
    while any(each.shadow for each in client.list_collections()):
        assert time.monotonic() < ends_at, "a takeover does not end"
    check_collections(client, facts, with_models=True)


def _check_items(client: Client, where: Collection, held: dict[str, int]) -> None:
    for fetched in client.fetch(where, sorted(held)):
        assert fetched.item is not None, fetched
        assert fetched.item.revision == held[fetched.item_id]
        _check_content(fetched.item)


def _check_found(client: Client, where: Collection, held: dict[str, int]) -> None:
    for options in (_EXACT, SearchOptions()):
        if where.kind is Kind.CODE:
            codes = np.stack([content.code(*each) for each in sorted(held.items())])
            hits = client.search_codes(where, codes, k=1, options=options)
        else:
            rows = np.stack([content.vector(*each) for each in sorted(held.items())])
            hits = client.search_vectors(where, rows, k=1, options=options)
        assert [each.item_ids[0] for each in hits] == sorted(held)


def _check_content(item: Item) -> None:
    name = (item.item_id, item.revision)
    if item.cipher_image is not None:
        assert np.array_equal(item.cipher_image.pixels, content.cipher_image(*name).pixels)
    elif item.vector is not None:
        np.testing.assert_allclose(item.vector, content.vector(*name), atol=1e-6)
    else:
        assert item.code is not None
        assert np.array_equal(item.code, content.code(*name))
        assert item.sealed_original == content.sealed(*name)


def _check_found_images(client: Client, where: Collection, held: dict[str, int]) -> None:
    """Some of them: each is among those that are as near to itself as can be."""
    some = sorted(held.items())[:: max(1, len(held) // _SAMPLE)]
    queries = [content.cipher_image(*each) for each in some]
    found = client.search_cipher_images(where, queries, k=len(held), options=_EXACT)
    for (item_id, _), hits in zip(some, found, strict=True):
        assert hits.similarities[hits.item_ids.index(item_id)] > 0.9999
