"""Masks through a real server: what it holds, what searches find, and who is refused."""

import asyncio
import uuid
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from cipherlens.client import AsyncClient, Client, Collection, FailedPrecondition, SearchOptions
from cipherlens.client.errors import MASK_REFUSED
from cipherlens.client.masking import stated_key
from cipherlens.crypto import Grant, Identity, KeyEntry, Rights, WrongKey, mask_id

Noise = Callable[..., Image.Image]
ROWS = np.random.default_rng(1).normal(size=(40, 24)).astype(np.float32)
CODES = np.random.default_rng(2).integers(0, 256, (40, 6), dtype=np.uint8)
IDS = [f"i{number}" for number in range(40)]


@pytest.fixture
def vectors(client: Client) -> Collection:
    where = client.create_vector_collection(f"v-{uuid.uuid4()}", 24)
    client.index_vectors(where.name, IDS, ROWS)
    return where


@pytest.fixture
def codes(client: Client) -> Collection:
    where = client.create_code_collection(f"c-{uuid.uuid4()}", 48)
    client.index_codes(where.name, IDS, CODES)
    return where


def stored(client: Client, where: Collection) -> npt.NDArray[np.generic]:
    """Return what the server has of all items."""
    items = [each.item for each in client.fetch(where, IDS)]
    return np.stack([each.vector if each.code is None else each.code for each in items if each])


def test_with_a_key_a_collection_is_masked_and_found_as_if_it_were_not(
    client: Client, vectors: Collection, codes: Collection, key: KeyEntry
) -> None:
    plain = client.create_vector_collection(f"p-{uuid.uuid4()}", 24, masked=False)
    client.index_vectors(plain, IDS, ROWS)
    (expected,) = client.search_vectors(plain, ROWS[:1], 40)
    (found,) = client.search_vectors(vectors.name, ROWS[:1], 40)
    assert found.item_ids == expected.item_ids
    assert np.allclose(found.similarities, expected.similarities, atol=1e-5)
    (nearest,) = client.search_codes(codes.name, CODES[:1], 40)
    distances = np.bitwise_count(CODES ^ CODES[0]).sum(axis=1)
    assert dict(zip(nearest.item_ids, nearest.distances, strict=True)) == dict(
        zip(IDS, distances.tolist(), strict=True)
    )
    assert stated_key(vectors) == stated_key(codes) == key.fingerprint
    assert (plain.mask_id, stated_key(plain)) == ("", b"")


def test_the_server_has_what_the_mask_made(
    client: Client, vectors: Collection, codes: Collection
) -> None:
    assert not np.isclose(stored(client, vectors), ROWS, atol=0.05).all(axis=1).any()
    assert not (stored(client, codes) == CODES).all(axis=1).any()
    assert np.array_equal(client.unmasked(codes, stored(client, codes)), CODES)
    unit = ROWS / np.linalg.norm(ROWS, axis=1, keepdims=True)
    back = client.unmasked(vectors, stored(client, vectors))
    back = back / np.linalg.norm(back, axis=1, keepdims=True)
    assert np.allclose(back, unit, atol=1e-5)


def test_two_collections_have_nothing_in_common(client: Client, codes: Collection) -> None:
    other = client.create_code_collection(f"c-{uuid.uuid4()}", 48)
    client.index_codes(other, IDS, CODES)
    assert not (stored(client, codes) == stored(client, other)).all(axis=1).any()


def test_who_has_no_mask_is_refused_and_finds_nothing_wrong(
    client: Client, target: str, vectors: Collection, codes: Collection, image_key: KeyEntry
) -> None:
    with Client(target) as keyless:
        for ask in (
            lambda: keyless.search_vectors(vectors.name, ROWS[:1], 1),
            lambda: keyless.search_codes(codes.name, CODES[:1], 1),
            lambda: keyless.search_codes(codes.name, CODES[:3], 1, with_items=True),
            lambda: keyless.index_codes(codes.name, ["x"], CODES[:1]),
        ):
            with pytest.raises(FailedPrecondition, match="is under no mask") as caught:
                ask()
            assert caught.value.reason == MASK_REFUSED
        # ... unless what it has is under the mask already.
        options = SearchOptions(mask_id=codes.mask_id)
        masked = np.asarray(client.masked(codes, CODES[:1]), np.uint8)
        assert keyless.search_codes(codes, masked, 1, options=options)[0].item_ids == ("i0",)
        with pytest.raises(ValueError, match="masks need a key"):
            keyless.create_code_collection("masked", 48, masked=True)
    with Client(target, key=image_key) as stranger:
        for ask in (
            lambda: stranger.search_vectors(vectors.name, ROWS[:1], 1),
            lambda: stranger.index_codes(codes.name, ["x"], CODES[:1]),
        ):
            with pytest.raises(WrongKey, match=mask_id(image_key.fingerprint)):
                ask()
    assert client.get_collection(codes.name).item_count == 40


def test_a_mask_of_another_collection_is_refused(client: Client, codes: Collection) -> None:
    other = client.create_code_collection(f"c-{uuid.uuid4()}", 48)
    with pytest.raises(FailedPrecondition, match=f"is under .*{codes.uuid}") as caught:
        client.search_codes(other, CODES[:1], 1, options=SearchOptions(mask_id=codes.mask_id))
    assert caught.value.reason == MASK_REFUSED


def test_a_name_that_was_given_anew_is_asked_for_again(client: Client, codes: Collection) -> None:
    client.search_codes(codes.name, CODES[:1], 1)
    client.delete_collection(codes.name)
    again = client.create_code_collection(codes.name, 48)
    client.index_codes(again, IDS, CODES)
    assert client.search_codes(codes.name, CODES[:1], 1)[0].item_ids == ("i0",)
    client.delete_collection(codes.name)
    plain = client.create_code_collection(codes.name, 48, masked=False)
    client.index_codes(plain, IDS, CODES)
    assert client.search_codes(codes.name, CODES[:1], 1)[0].item_ids == ("i0",)


def test_the_client_of_an_event_loop_does_the_same(
    target: str, key: KeyEntry, vectors: Collection, codes: Collection
) -> None:
    async def found() -> list[tuple[str, ...]]:
        async with AsyncClient(target, key=key) as client:
            searches = [client.search_codes(codes.name, CODES[n : n + 1], 1) for n in range(8)]
            hits = [each[0] for each in await asyncio.gather(*searches)]
            hits += await client.search_vectors(vectors.name, ROWS[:2], 1)
            await client.delete_collection(codes.name)
            again = await client.create_code_collection(codes.name, 48)
            await client.index_codes(again.name, IDS, CODES)
            hits += await client.search_codes(codes.name, CODES[:1], 1)
            return [each.item_ids for each in hits]

    expected = [(f"i{n}",) for n in range(8)] + [("i0",), ("i1",), ("i0",)]
    assert asyncio.run(found()) == expected


def test_originals_beside_masked_codes_open_and_are_bound_to_them(
    client: Client, noise: Noise
) -> None:
    where = client.create_code_collection(f"c-{uuid.uuid4()}", 48)
    client.index_codes(where, ["a"], CODES[:1], originals=[noise(1)])
    (fetched,) = client.fetch(where, ["a"])
    assert fetched.item is not None
    assert client.open_original(fetched.item).media_type == "image/png"


def test_a_grant_to_search_has_the_mask(target: str, codes: Collection, key: KeyEntry) -> None:
    me = Identity.generate("me")
    grant = Grant.make(key, me.recipient, codes.uuid, codes.kind, Rights.SEARCH)
    with Client(target, key=grant.open(me, "theirs")) as user:
        assert user.search_codes(codes.name, CODES[3:4], 1)[0].item_ids == ("i3",)
