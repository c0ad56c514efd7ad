import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cipherlens.client import (
    AlreadyExists,
    Client,
    EncryptionClient,
    FailedPrecondition,
    NotFound,
    Place,
    Unimplemented,
    UnreadableAnswer,
    open_released,
)
from cipherlens.client.picture import png_bytes
from cipherlens.crypto import (
    CipherParameters,
    ImageCipher,
    KeyEntry,
    Keyring,
    OpenError,
    open_image,
    prepare,
)


@pytest.fixture(scope="module")
def owner(key: KeyEntry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real server that hosts both services and holds `key`."""
    from cipherlens.server.app import CipherLensServer
    from cipherlens.server.config import Role, ServerConfig

    folder = tmp_path_factory.mktemp("owner")
    Keyring([key]).save(folder / "keys", unprotected=True)
    server = CipherLensServer(
        ServerConfig(
            data_dir=folder / "data",
            role=Role.ALL,
            listen="127.0.0.1:0",
            device="cpu",
            keyring=folder / "keys",
        )
    )
    yield f"127.0.0.1:{server.start()}"
    server.stop(1)


def test_a_user_without_the_key_searches_and_sees(
    owner: str, key: KeyEntry, checkpoint: Path, folder: Path
) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    ids = [path.name for path in files]
    with EncryptionClient(owner) as encryption, Client(owner) as cloud:
        (known,) = encryption.list_keys()
        where = cloud.create_cipher_collection("photos", known.profile)
        cloud.push_model(checkpoint, collection="photos")
        places = [Place(collection_uuid=where.uuid, item_id=each, revision=9) for each in ids]
        encrypted = encryption.encrypt(files, places=places)
        cloud.index_encrypted("photos", ids, encrypted, revisions=[9] * len(ids))
        trapdoor = encryption.trapdoor(files[1])
        hits = cloud.search_image("photos", trapdoor, k=2, with_items=True)
        assert hits[0].item_id == ids[1]
        originals = encryption.decrypt([hit.item for hit in hits if hit.item])
        assert originals[0].data == files[1].read_bytes()
    with Client(owner, key=key) as mine:
        (fetched,) = mine.fetch("photos", [ids[0]])
        assert fetched.item is not None
        assert mine.open_original(fetched.item).data == files[0].read_bytes()


def test_a_trapdoor_is_the_prepared_picture_encrypted(
    owner: str, key: KeyEntry, folder: Path
) -> None:
    with EncryptionClient(owner) as encryption:
        trapdoor = encryption.trapdoor((folder / "a.png").read_bytes(), key=key.name)
    expected = prepare(open_image(folder / "a.png"), key.parameters)
    assert np.array_equal(ImageCipher(key).decrypt_image(trapdoor), expected)


def test_keys_are_made_there_and_only_named_here(owner: str) -> None:
    parameters = CipherParameters(height=16, width=16, block_size=8, substituted_blocks=1)
    with EncryptionClient(owner) as encryption:
        made = encryption.create_key("second", parameters)
        assert CipherParameters.of(made.profile) == parameters
        assert len(made.profile.key_fingerprint) == 16
        assert made in encryption.list_keys()
        with pytest.raises(AlreadyExists):
            encryption.create_key("second", parameters)
        with pytest.raises(NotFound):
            encryption.trapdoor(b"", key="third")


def test_what_does_not_open_is_refused(owner: str, folder: Path, key: KeyEntry) -> None:
    from cipherlens.client import Item

    with EncryptionClient(owner) as encryption:
        place = Place(collection_uuid=uuid.UUID(int=3), item_id="a", revision=1)
        (made,) = encryption.encrypt([folder / "a.png"], key=key.name, places=[place])
        moved = Item(
            collection_uuid=place.collection_uuid,
            item_id="b",
            revision=1,
            sequence=1,
            owner_tag=b"",
            cipher_image=made.cipher_image,
            sealed_original=made.sealed_original,
        )
        with pytest.raises(FailedPrecondition):
            encryption.decrypt([moved], key=key.name)


def test_pictures_and_places_of_different_number_send_nothing(owner: str, folder: Path) -> None:
    place = Place(collection_uuid=uuid.UUID(int=3), item_id="a", revision=1)
    with (
        EncryptionClient(owner) as encryption,
        pytest.raises(ValueError, match="places must be as many as the 2 pictures, got 1"),
    ):
        encryption.encrypt([folder / "a.png", folder / "b.png"], places=[place])


def test_a_cloud_server_does_not_encrypt(target: str) -> None:
    with EncryptionClient(target) as encryption, pytest.raises(Unimplemented):
        encryption.list_keys()


def test_batches_fit_into_the_messages_of_the_channel(owner: str, key: KeyEntry, noise) -> None:
    pictures = [png_bytes(noise(number, (160, 160))) for number in range(6)]
    assert sum(map(len, pictures)) > 2**18 + 2**17
    with EncryptionClient(owner, max_message_bytes=2**18 + 2**17) as narrow:
        encrypted = narrow.encrypt(pictures, key=key.name)
        assert len(narrow.trapdoors(pictures, key=key.name)) == 6
    assert [each.cipher_image for each in encrypted] == ImageCipher(key).encrypt_images(
        [prepare(open_image(picture), key.parameters) for picture in pictures]
    )


@pytest.mark.parametrize("count", [0, 1, 3])
def test_answers_of_another_number_are_unreadable(count: int, noise) -> None:
    """The service says too little or too much, as no scripted answer of another service does."""
    from cipherlens.client.core import encryption
    from cipherlens.v1 import encryption_service_pb2 as messages

    picture = png_bytes(noise(1))
    steps = encryption.encrypt([picture, picture], "", None, 2**25)
    next(steps)
    with pytest.raises(UnreadableAnswer, match=f"answered {count} pictures where 2 were sent"):
        steps.send(messages.EncryptResponse(images=[messages.EncryptedImage()] * count))


def test_a_user_without_a_key_opens_the_results_whose_keys_are_released(
    owner: str, key: KeyEntry, checkpoint: Path, folder: Path
) -> None:
    """DLHEIR: the user asks for the keys after the results."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())[:3]
    with Client(owner, key=key) as mine:
        where = mine.create_cipher_collection("released")
        mine.push_model(checkpoint, collection="released")
        mine.index_images(where, ["a", "b", "c"], files)
        other = mine.create_cipher_collection("elsewhere")
        mine.push_model(checkpoint, collection="elsewhere")
        mine.index_images(other, ["a"], [files[1]])
    with EncryptionClient(owner) as encryption, Client(owner) as user:
        trapdoor = encryption.trapdoor(files[0], key=key.name)
        hits = user.search_image(where, trapdoor, k=2, with_items=True)
        first, second = (hit.item for hit in hits if hit.item)
        released, _ = encryption.release_keys([first, second], key=key.name)
        assert open_released(first, released).data == files[0].read_bytes()
        with pytest.raises(OpenError):
            open_released(second, released)
        with pytest.raises(OpenError):
            open_released(replace(first, item_id="b"), released)
        # Who asks for one item cannot be given the key of another.
        for asked in (
            replace(first, item_id="b"),
            replace(first, revision=first.revision + 1),
            replace(first, collection_uuid=other.uuid),
            replace(first, cipher_image=second.cipher_image),
        ):
            with pytest.raises(FailedPrecondition, match="the sealed data does not open"):
                encryption.release_keys([second, asked], key=key.name)
        with pytest.raises(OpenError):
            encryption.release_keys([replace(first, sealed_original=b"")])


def test_keys_are_released_for_what_the_owner_sealed_alone(
    owner: str, key: KeyEntry, noise: Callable[..., Image.Image]
) -> None:
    forger = replace(key, signing_seed=bytes(32))
    with Client(owner, key=forger) as user, EncryptionClient(owner) as encryption:
        where = user.create_vector_collection("forged", 4)
        user.index_vectors(where, ["x"], [[1, 0, 0, 0]], originals=[noise(1)])
        (fetched,) = user.fetch(where, ["x"])
        assert fetched.item is not None
        with pytest.raises(FailedPrecondition, match="does not open"):
            encryption.release_keys([fetched.item], key=key.name)


def test_fewer_keys_than_were_asked_for_are_no_answer(
    owner: str, key: KeyEntry, noise: Callable[..., Image.Image]
) -> None:
    from cipherlens.client.core.encryption import release_keys
    from cipherlens.v1 import encryption_service_pb2 as messages

    with Client(owner, key=key) as mine:
        where = mine.create_vector_collection("short", 4)
        mine.index_vectors(where, ["x"], [[1, 0, 0, 0]], originals=[noise(1)])
        (fetched,) = mine.fetch(where, ["x"])
    assert fetched.item is not None
    steps = release_keys([fetched.item], "")
    next(steps)
    with pytest.raises(UnreadableAnswer, match="released 0 keys where 1 were asked for"):
        steps.send(messages.ReleaseKeysResponse())
