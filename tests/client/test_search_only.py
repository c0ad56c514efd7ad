"""Search and not read: a user with a token for trapdoors, and one for the search."""

from datetime import timedelta
from pathlib import Path

import pytest

from cipherlens.client import Access, Client, EncryptionClient, PermissionDenied, Unauthenticated
from cipherlens.crypto import KeyEntry, Keyring
from cipherlens.server.access import TokenFile, issue, permissions_of
from cipherlens.server.app import CipherLensServer
from cipherlens.server.config import Role, ServerConfig


def token(file: TokenFile, name: str, *allowed: str) -> Access:
    permissions = [each for text in allowed for each in permissions_of(text)]
    made, record = issue(name, permissions, timedelta(days=1))
    file.add(record)
    return Access(token=made)


def test_he_finds_and_can_neither_fetch_nor_decrypt_nor_make_keys(
    key: KeyEntry, checkpoint: Path, folder: Path, tmp_path: Path
) -> None:
    Keyring([key]).save(tmp_path / "keys", unprotected=True)
    clouds, owners = TokenFile.of(tmp_path, None), TokenFile.of(None, tmp_path / "keys")
    filler = token(clouds, "owner", "server", "search,fetch,index,admin:*")
    searcher = token(clouds, "user", "search:photos")
    asker = token(owners, "user", "trapdoor")
    here = {"listen": "127.0.0.1:0", "device": "cpu"}
    cloud = CipherLensServer(ServerConfig(data_dir=tmp_path, **here))
    owner = CipherLensServer(
        ServerConfig(data_dir=tmp_path / "o", role=Role.OWNER, keyring=tmp_path / "keys", **here)
    )
    at_cloud, at_owner = f"127.0.0.1:{cloud.start()}", f"127.0.0.1:{owner.start()}"
    picture = folder / "a.png"
    try:
        with Client(at_cloud, key=key, access=filler) as client:
            client.create_cipher_collection("photos")
            client.push_model(checkpoint, collection="photos")
            client.index_images("photos", ["a", "b"], [picture, folder / "b.png"])
            (stored,) = [each.item for each in client.fetch("photos", ["a"])]
        assert stored is not None
        with (
            EncryptionClient(at_owner, access=asker) as asking,
            Client(at_cloud, access=searcher) as searching,
        ):
            hits = searching.search_image("photos", asking.trapdoor(picture), k=1)
            assert hits.item_ids == ("a",)
            for refused in (
                lambda: list(searching.fetch("photos", ["a"])),
                lambda: list(searching.list_items("photos")),
                lambda: asking.decrypt([stored]),
                lambda: asking.encrypt([picture]),
                asking.list_keys,
                lambda: asking.create_key("mine", key.parameters),
            ):
                with pytest.raises(PermissionDenied):
                    refused()
        with EncryptionClient(at_owner, access=searcher) as asking, pytest.raises(Unauthenticated):
            asking.trapdoor(picture)  # the cloud's token is not the owner's
    finally:
        cloud.stop(0)
        owner.stop(0)
