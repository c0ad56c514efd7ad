"""What a user with a grant may do with a real server, and what is refused him by name."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from cipherlens.client import Client, Collection, index_folder
from cipherlens.crypto import (
    Grant,
    GrantedKey,
    Identity,
    KeyEntry,
    NotGranted,
    OpenError,
    Rights,
    read_network,
    seal_network,
)

Noise = Callable[..., Image.Image]
ME = Identity.generate("me")


@pytest.fixture
def where(client: Client, photos: str, noise: Noise) -> Collection:
    """A collection with one sealed picture."""
    client.index_images(photos, ["a"], [noise(1)])
    return client.get_collection(photos)


def granted(key: KeyEntry, where: Collection, rights: Rights) -> GrantedKey:
    grant = Grant.make(key, ME.recipient, where.uuid, where.kind, rights)
    return Grant.read(grant.data).open(ME, "theirs")


@pytest.fixture
def searcher(target: str, key: KeyEntry, where: Collection) -> Iterator[Client]:
    """A client who may search."""
    with Client(target, key=granted(key, where, Rights.SEARCH)) as made:
        yield made


def test_who_may_search_finds_and_opens_nothing(
    searcher: Client, where: Collection, noise: Noise
) -> None:
    hits = searcher.search_image(where, noise(1), k=1, with_items=True)
    assert hits.item_ids == ("a",)
    (item,) = hits.items.values()
    for opening in (searcher.open_original, searcher.restore):
        with pytest.raises(NotGranted, match="granted to search cipher collection"):
            opening(item)
    assert searcher.decrypt(item).size == (48, 32)


def test_who_may_open_opens_what_the_owner_sealed(
    target: str, key: KeyEntry, where: Collection, noise: Noise
) -> None:
    with Client(target, key=granted(key, where, Rights.OPEN)) as user:
        (hit,) = user.search_image(where, noise(1), k=1, with_items=True)
        assert hit.item is not None
        original = user.open_original(hit.item)
    assert original.media_type == "image/png"


def test_who_was_granted_anything_writes_nothing_as_the_owner(
    target: str, key: KeyEntry, where: Collection, noise: Noise, folder: Path
) -> None:
    with Client(target, key=granted(key, where, Rights.OPEN)) as user:
        with pytest.raises(NotGranted, match="the owner alone indexes"):
            index_folder(user, where, folder)
        with pytest.raises(NotGranted, match="signed by the owner alone"):
            user.index_images(where, ["forged"], [noise(2)])
        assert user.get_collection(where.name).item_count == 1


def test_what_a_user_seals_by_his_own_key_does_not_open_as_the_owners(
    client: Client, key: KeyEntry, where: Collection, noise: Noise
) -> None:
    """He may hold every key that reads; the signature is what he lacks."""
    from dataclasses import replace

    forger = replace(key, signing_seed=bytes(32))
    with Client(client.target, key=forger) as user:
        user.index_images(where, ["forged"], [noise(2)])
        (forged,) = user.fetch(where, ["forged"])
        assert forged.item is not None
        user.open_original(forged.item)
    with pytest.raises(OpenError):
        client.open_original(forged.item)


def test_a_grant_for_codes_opens_the_network_and_searches(
    client: Client, key: KeyEntry, hash_checkpoint: Path
) -> None:
    where = client.create_code_collection(f"codes-{uuid.uuid4()}", 24)
    sealed = seal_network(hash_checkpoint.read_bytes(), key)
    from cipherlens.crypto import Keyring

    ring = Keyring(identities=[ME])
    ring.receive(Grant.make(key, ME.recipient, where.uuid, where.kind, Rights.SEARCH), "theirs")
    assert read_network(sealed, ring) == hash_checkpoint.read_bytes()
