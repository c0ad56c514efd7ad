"""Items restored from a server that alters them, by the library's two clients."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cipherlens.client import AsyncClient, Client, ManifestFolder, index_folder
from cipherlens.crypto import KeyEntry, Manifest, NotGenuine, Original
from tests.client.malicious import Malicious, between


@pytest.fixture
def malicious(target: str) -> Iterator[Malicious]:
    with between(target) as made:
        yield made


@pytest.fixture
def manifest(client: Client, photos: str, folder: Path, tmp_path: Path) -> Manifest:
    assert client.key is not None
    manifests = ManifestFolder(tmp_path / "manifests")
    index_folder(client, photos, folder, readable_ids=True, manifests=manifests)
    known = manifests.load(client.get_collection(photos).uuid, client.key.verify_key)
    assert known is not None
    return known


def restored(target: str, key: KeyEntry, photos: str, manifest: Manifest) -> Original:
    with Client(target, key=key) as client:
        (fetched,) = client.fetch(photos, ["a.png"])
        assert fetched.item is not None
        return client.restore(fetched.item, manifest=manifest)


def restored_async(target: str, key: KeyEntry, photos: str, manifest: Manifest) -> Original:
    async def restore() -> Original:
        async with AsyncClient(target, key=key) as client:
            (fetched,) = [each async for each in client.fetch(photos, ["a.png"])]
            assert fetched.item is not None
            return await client.restore(fetched.item, manifest=manifest)

    return asyncio.run(restore())


def strip(item: Any) -> None:
    item.sealed_original = b""


def strip_and_alter(item: Any) -> None:
    strip(item)
    item.cipher_image.pixels = bytes(len(item.cipher_image.pixels))


def cut(item: Any) -> None:
    item.sealed_original = item.sealed_original[:-1]


def relabel(item: Any) -> None:
    item.revision += 1


@pytest.mark.parametrize("restore", [restored, restored_async])
def test_only_what_the_owner_stored_is_restored(
    malicious: Malicious, key: KeyEntry, photos: str, manifest: Manifest, folder: Path, restore
) -> None:
    honest = restore(malicious.target, key, photos, manifest)
    assert honest.data == (folder / "a.png").read_bytes()
    changes: list[Callable[[Any], None]] = [strip, strip_and_alter, cut, relabel]
    for change in changes:

        def altered(_request: Any, answer: Any, change: Callable[[Any], None] = change) -> Any:
            change(answer.item)
            return answer

        malicious.alter["Fetch"] = altered
        with pytest.raises(NotGenuine):
            restore(malicious.target, key, photos, manifest)
