"""A collection brought under another key while a real server serves it."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cipherlens.client import (
    Client,
    EncryptedPicture,
    FailedPrecondition,
    NotFound,
    Rotation,
    index_folder,
)
from cipherlens.crypto import CipherParameters, KeyEntry, OpenError, Scope

Noise = Callable[..., Image.Image]
CODES = np.random.default_rng(2).integers(0, 256, (30, 6), dtype=np.uint8)
IDS = [f"i{number:02}" for number in range(30)]


@pytest.fixture(scope="module")
def any_key() -> tuple[KeyEntry, KeyEntry]:
    """Two keys of image scope, which one model serves."""
    parameters = CipherParameters(
        height=32, width=48, block_size=8, substituted_blocks=6, scope=Scope.IMAGE
    )
    return KeyEntry.generate("old", parameters), KeyEntry.generate("new", parameters)


@pytest.fixture(scope="module")
def any_model(any_key: tuple[KeyEntry, KeyEntry], tmp_path_factory) -> Path:
    """An untrained network that is bound to no key."""
    import torch

    from cipherlens.model.checkpoint import CheckpointConfiguration, save
    from cipherlens.model.config import NetworkConfig
    from cipherlens.model.networks.end_to_end import EndToEndNetwork

    network = NetworkConfig(
        patch_size=8,
        dim=32,
        depth=1,
        heads=2,
        feature_dim=16,
        height=32,
        width=48,
        classes=3,
        positions="none",
    )
    path = tmp_path_factory.mktemp("model") / "any.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = EndToEndNetwork(network)
    profile = any_key[0].parameters.profile(b"")
    save(path, made, CheckpointConfiguration(network=network, profile=profile))
    return path


@pytest.fixture
def old(target: str, any_key: tuple[KeyEntry, KeyEntry]) -> Iterator[Client]:
    with Client(target, key=any_key[0]) as made:
        yield made


@pytest.fixture
def new(target: str, any_key: tuple[KeyEntry, KeyEntry]) -> Iterator[Client]:
    with Client(target, key=any_key[1]) as made:
        yield made


@pytest.fixture
def pictures(old: Client, any_model: Path, folder: Path) -> str:
    """The name of a collection of five pictures under the old key."""
    name = f"r-{uuid.uuid4().hex[:12]}"
    old.create_cipher_collection(name)
    old.push_model(any_model, collection=name)
    index_folder(old, name, folder)
    return name


def opened(client: Client, name: str) -> dict[str, bytes]:
    """Return the originals of all items by their names."""
    where = client.get_collection(name)
    ids = [item.item_id for item in client.list_items(where)]
    names = client.item_names(where, ids)
    return {
        names[fetched.item_id]: client.open_original(fetched.item).data
        for fetched in client.fetch(where, ids)
        if fetched.item
    }


def test_all_is_under_the_new_key_and_nothing_under_the_old(
    old: Client, new: Client, pictures: str, folder: Path
) -> None:
    before, files = old.get_collection(pictures), opened(old, pictures)
    report = Rotation(old, new, pictures).run()
    after = new.get_collection(pictures)
    assert (report.copied, after.item_count) == (5, 5)
    assert report.collection.uuid == after.uuid != before.uuid
    assert after.profile is not None
    assert after.profile.key_fingerprint == new.cipher.key_fingerprint
    assert after.active is not None
    assert before.active is not None
    assert after.active.model_digest == before.active.model_digest
    assert opened(new, pictures) == files
    hits = new.search_image(pictures, folder / "a.png", k=5)
    assert len(hits) == 5
    with pytest.raises(FailedPrecondition, match="key_fingerprint"):
        old.search_image(pictures, folder / "a.png", k=1)
    with pytest.raises(OpenError):
        old.item_names(pictures, hits.item_ids)
    # The folder is known again: nothing is sent twice.
    assert index_folder(new, pictures, folder).unchanged == 5
    assert [each.name for each in new.list_collections() if pictures in each.name] == [pictures]


def test_old_queries_are_answered_until_the_one_step(
    old: Client, new: Client, pictures: str, folder: Path
) -> None:
    answers: list[str] = []

    def ask(_done: int, _of: int) -> None:
        answers.append("old" if len(old.search_image(pictures, folder / "a.png", k=5)) == 5 else "")
        with pytest.raises(FailedPrecondition):
            new.search_image(pictures, folder / "a.png", k=5)

    Rotation(old, new, pictures, on_copied=ask).run()
    assert answers == ["old"] * len(answers)
    assert len(answers) >= 2
    assert len(new.search_image(pictures, folder / "a.png", k=5)) == 5


def test_what_is_written_and_deleted_meanwhile_is_brought_over(
    old: Client, new: Client, pictures: str, noise: Noise
) -> None:
    calls = iter(range(1000))

    def write(done: int, of: int) -> None:
        if done == of and next(calls) == 0:
            old.index_images(pictures, ["late"], [noise(90)])
            ids = {item.item_id for item in old.list_items(pictures)} - {"late"}
            old.delete(pictures, [min(ids)])

    report = Rotation(old, new, pictures, on_copied=write).run()
    assert report.collection.item_count == 5
    names = {item.item_id for item in new.list_items(pictures)}
    assert "late" in names
    assert len(opened(new, pictures)) == 5


def test_a_run_that_was_interrupted_goes_on(old: Client, new: Client, pictures: str) -> None:
    class Stop(Exception):
        pass

    def stop(done: int, of: int) -> None:
        if done == of:
            raise Stop

    with pytest.raises(Stop):
        Rotation(old, new, pictures, on_copied=stop).run()
    assert len(opened(old, pictures)) == 5
    report = Rotation(old, new, pictures).run()
    assert (report.copied, report.collection.item_count) == (0, 5)
    assert len(opened(new, pictures)) == 5


@pytest.mark.parametrize("masked", [True, False])
def test_codes_and_vectors_come_over_with_originals_and_masks(
    old: Client, new: Client, noise: Noise, masked: bool
) -> None:
    codes = old.create_code_collection(f"c-{uuid.uuid4().hex[:12]}", 48, masked=masked)
    old.index_codes(codes, IDS[:2], CODES[:2], originals=[noise(1), noise(2)])
    old.index_codes(codes, IDS[2:], CODES[2:])
    rows = np.random.default_rng(3).normal(size=(30, 24)).astype(np.float32)
    vectors = old.create_vector_collection(f"v-{uuid.uuid4().hex[:12]}", 24, masked=masked)
    old.index_vectors(vectors, IDS, rows)
    for where in (codes, vectors):
        report = Rotation(old, new, where.name).run()
        assert (report.copied, report.collection.item_count) == (30, 30)
        assert bool(report.collection.mask_id) is masked
    assert new.search_codes(codes.name, CODES[4:5], 1)[0].item_ids == (IDS[4],)
    assert new.search_codes(codes.name, CODES[4:5], 1)[0].distances == (0,)
    found = new.search_vectors(vectors.name, rows[7:8], 1)[0]
    assert (found.item_ids, found.similarities[0] > 0.99999) == ((IDS[7],), True)
    (fetched,) = new.fetch(codes.name, [IDS[0]])
    assert fetched.item is not None
    assert new.open_original(fetched.item).media_type == "image/png"


def test_a_model_of_one_key_takes_another_model(
    client: Client, checkpoint: Path, target: str, key: KeyEntry, photos: str, noise: Noise
) -> None:
    client.index_images(photos, ["a"], [noise(1)])
    with Client(target, key=KeyEntry.generate("next", key.parameters)) as new:
        with pytest.raises(FailedPrecondition, match="key_fingerprint"):
            Rotation(client, new, photos).run()
        assert client.get_collection(photos).item_count == 1
        assert [each.name for each in client.list_collections() if photos in each.name] == [photos]


def test_an_item_that_does_not_open_ends_it_and_nothing_is_lost(
    old: Client, new: Client, pictures: str, noise: Noise
) -> None:
    image = old.encrypt_query(noise(5))
    forged = EncryptedPicture(cipher_image=image, sealed_original=b"CLSO forged")
    old.index_encrypted(pictures, ["forged"], [forged])
    with pytest.raises(OpenError):
        Rotation(old, new, pictures).run()
    assert old.get_collection(pictures).item_count == 6
    old.delete(pictures, ["forged"])
    assert Rotation(old, new, pictures).run().collection.item_count == 5


def test_only_an_owner_rotates(target: str, old: Client, pictures: str) -> None:
    with Client(target) as keyless, pytest.raises(ValueError, match="needs the owner's"):
        Rotation(old, keyless, pictures).run()
    with pytest.raises(NotFound):
        Rotation(old, old, "nowhere").run()
