"""Tags through a real server: what is found by them, who reads them, and what the server has."""

import asyncio
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cipherlens.client import (
    AsyncClient,
    Client,
    Collection,
    FailedPrecondition,
    Item,
    Rotation,
    SearchOptions,
    TagFilter,
    Tagging,
    index_folder,
)
from cipherlens.client.core.indexing import ItemHeads
from cipherlens.client.manifests import ManifestFolder
from cipherlens.crypto import (
    Grant,
    Identity,
    KeyEntry,
    Manifest,
    ManifestError,
    NotGranted,
    OpenError,
    Rights,
    StaleItem,
)
from cipherlens.v1 import retrieval_service_pb2 as messages
from tests.client.malicious import between

Noise = Callable[..., Image.Image]
ROWS = np.random.default_rng(1).normal(size=(40, 24)).astype(np.float32)
CODES = np.random.default_rng(2).integers(0, 256, (40, 6), dtype=np.uint8)
IDS = [f"i{number:02}" for number in range(40)]
TAGS = [
    [*(["even"] if number % 2 == 0 else []), *(["low"] if number < 10 else []), "all"]
    for number in range(40)
]
EVEN = SearchOptions(tags=TagFilter(any_of=["even"]))
CASES = [
    (TagFilter(any_of=["even"]), IDS[::2]),
    (TagFilter(any_of=["even", "low"]), sorted({*IDS[::2], *IDS[:10]})),
    (TagFilter(all_of=["even", "low"]), IDS[:10:2]),
    (TagFilter(none_of=["even"]), IDS[1::2]),
    (TagFilter(any_of=["all"], all_of=["even"], none_of=["low"]), IDS[10::2]),
    (TagFilter(any_of=["Even"]), []),
    (TagFilter(), IDS),
]


@pytest.fixture
def vectors(client: Client) -> Collection:
    where = client.create_vector_collection(f"v-{uuid.uuid4()}", 24)
    client.index_vectors(where, IDS, ROWS, tags=TAGS)
    return where


@pytest.fixture
def codes(client: Client) -> Collection:
    where = client.create_code_collection(f"c-{uuid.uuid4()}", 48)
    client.index_codes(where, IDS, CODES, tags=TAGS)
    return where


@pytest.mark.parametrize(("tags", "expected"), CASES)
def test_a_search_finds_what_the_filter_keeps(
    client: Client, vectors: Collection, codes: Collection, tags: TagFilter, expected: list[str]
) -> None:
    options = SearchOptions(tags=tags)
    for _ in range(2):
        (found,) = client.search_vectors(vectors.name, ROWS[:1], 40, options=options)
        assert sorted(found.item_ids) == expected
        (nearest,) = client.search_codes(codes.name, CODES[:1], 40, options=options)
        assert sorted(nearest.item_ids) == expected
        assert client.count(codes.name, tags) == client.count(vectors, tags) == len(expected)


def test_pictures_are_filtered_too(client: Client, photos: str, noise: Noise) -> None:
    pictures = [noise(number) for number in range(3)]
    client.index_images(photos, ["a", "b", "c"], pictures, tags=[["x"], ["x", "y"], []])
    hits = client.search_image(
        photos, noise(2), 3, options=SearchOptions(tags=TagFilter(all_of=["x"]))
    )
    assert sorted(hits.item_ids) == ["a", "b"]
    assert client.search_image(photos, noise(1), 1).item_ids == ("b",)
    assert client.count(photos, TagFilter(none_of=["y"])) == 2


def test_the_awaited_client_does_the_same_and_tells_filters_apart(
    target: str, key: KeyEntry
) -> None:
    async def run() -> None:
        async with AsyncClient(target, key=key) as client:
            where = await client.create_code_collection(f"c-{uuid.uuid4()}", 48)
            await client.index_codes(where, IDS, CODES, tags=TAGS)
            searches = [
                client.search_codes(where, CODES[:1], 40, options=SearchOptions(tags=tags))
                for tags, _ in CASES * 8
            ]
            for (found,), (_, expected) in zip(
                await asyncio.gather(*searches), CASES * 8, strict=True
            ):
                assert sorted(found.item_ids) == expected
            assert await client.count(where, EVEN.tags) == 20
            assert await client.item_tags(where, IDS[:1]) == {"i00": ["all", "even", "low"]}

    asyncio.run(run())


def test_tags_go_with_the_revision(client: Client, codes: Collection) -> None:
    client.index_codes(codes, IDS[:2], CODES[:2], tags=[["new"], []])
    assert client.count(codes, TagFilter(any_of=["new"])) == 1
    assert client.count(codes, EVEN.tags) == 19
    assert client.item_tags(codes, IDS[:3]) == {
        "i00": ["new"],
        "i01": [],
        "i02": ["all", "even", "low"],
    }
    client.delete(codes, IDS[:3])
    assert client.count(codes, EVEN.tags) == 18


def test_the_server_has_neither_a_tag_nor_what_two_collections_have_in_common(
    client: Client, vectors: Collection, codes: Collection, key: KeyEntry
) -> None:
    sent = [Tagging(key, where.uuid).blinded(["holiday"], "a", 1) for where in (vectors, codes)]
    assert not set(sent[0].tokens) & set(sent[1].tokens)
    for each in sent:
        heads = ItemHeads.of(["a"], [1], None).tagged([each])
        request = heads.request("c", [heads.message(0, b"")])
        assert b"holiday" not in request.SerializeToString()
        asked = messages.SearchRequest()
        Tagging(key, codes.uuid).asked(TagFilter(any_of=["holiday"])).put(asked)
        assert b"holiday" not in asked.SerializeToString()


def test_one_who_may_search_filters_and_reads_no_tags(
    client: Client, target: str, key: KeyEntry, codes: Collection
) -> None:
    me = Identity.generate("me")
    found = {}
    for rights in Rights:
        grant = Grant.make(key, me.recipient, codes.uuid, codes.kind, rights)
        with Client(target, key=grant.open(me, "theirs")) as user:
            (hits,) = user.search_codes(codes, CODES[:1], 40, options=EVEN)
            assert sorted(hits.item_ids) == IDS[::2]
            assert user.count(codes, EVEN.tags) == 20
            with pytest.raises(NotGranted):
                user.count(client.create_code_collection(f"o-{uuid.uuid4()}", 48), EVEN.tags)
            try:
                found[rights] = user.item_tags(codes, IDS[:1])
            except NotGranted:
                found[rights] = {}
    assert found == {Rights.SEARCH: {}, Rights.OPEN: {"i00": ["all", "even", "low"]}}


def test_tags_without_a_key_are_refused_before_anything_is_sent(
    target: str, codes: Collection
) -> None:
    with Client(target) as stranger:
        for call in (
            lambda: stranger.search_codes(codes, CODES[:1], options=EVEN),
            lambda: stranger.count(codes, EVEN.tags),
            lambda: stranger.index_codes(codes, ["x"], CODES[:1], tags=[["a"]]),
        ):
            with pytest.raises(ValueError, match="a key: make the client"):
                call()
        assert stranger.count(codes) == 40


def test_as_many_tags_as_items(client: Client, codes: Collection) -> None:
    with pytest.raises(ValueError, match="tags"):
        client.index_codes(codes, ["x", "y"], CODES[:2], tags=[["a"]])
    with pytest.raises(ValueError, match="at most 64 tags, got 65"):
        client.index_codes(codes, ["x"], CODES[:1], tags=[map(str, range(65))])
    assert client.count(codes) == 40


def test_tags_of_a_collection_that_had_the_name_before_find_nothing_wrong(
    client: Client, target: str, key: KeyEntry, codes: Collection
) -> None:
    """A service that knows a collection learns of the other one and does not find nothing."""
    with Client(target, key=key) as service:
        assert len(service.search_codes(codes.name, CODES[:1], 40, options=EVEN)[0]) == 20
        client.delete_collection(codes.name)
        again = client.create_code_collection(codes.name, 48)
        client.index_codes(again, IDS, CODES, tags=TAGS)
        assert len(service.search_codes(codes.name, CODES[:1], 40, options=EVEN)[0]) == 20
        with pytest.raises(FailedPrecondition) as caught:
            service.count(codes, EVEN.tags)
    assert caught.value.reason == "COLLECTION_REPLACED"


def test_tags_that_a_server_puts_beside_another_item_do_not_open(
    client: Client, codes: Collection, key: KeyEntry
) -> None:
    tagging = Tagging(key, codes.uuid)
    one, other = (each.item for each in client.fetch(codes, IDS[:2]))
    assert one is not None
    assert other is not None
    swapped = Item(
        collection_uuid=codes.uuid,
        item_id=one.item_id,
        revision=one.revision,
        sequence=1,
        owner_tag=b"",
        sealed_tags=other.sealed_tags,
    )
    assert tagging.read(one) == ["all", "even", "low"]
    with pytest.raises(OpenError):
        tagging.read(swapped)


def test_tags_that_a_server_leaves_out_are_refused_where_there_is_a_manifest(
    client: Client, target: str, key: KeyEntry, photos: str, folder: Path, tmp_path: Path
) -> None:
    manifests = ManifestFolder(tmp_path / "signed")
    index_folder(client, photos, folder, tags=lambda _: ["x"], manifests=manifests)
    where = client.get_collection(photos)
    manifest = manifests.load(where.uuid, key.verify_key)
    assert manifest is not None
    ids = list(manifest.items)

    def stripped(_request: Any, answer: Any) -> Any:
        answer.item.sealed_tags = b""
        return answer

    async def asked(server: str) -> None:
        async with AsyncClient(server, key=key) as reader:
            await reader.item_tags(where, ids, manifest=manifest)

    assert client.item_tags(where, ids, manifest=manifest) == {each: ["x"] for each in ids}
    asyncio.run(asked(target))
    with between(target) as server, Client(server.target, key=key) as reader:
        server.alter["Fetch"] = stripped
        assert reader.item_tags(where, ids) == {each: [] for each in ids}
        with pytest.raises(StaleItem, match="has no tags, not those that revision"):
            reader.item_tags(where, ids, manifest=manifest)
        with pytest.raises(StaleItem, match="has no tags, not those that revision"):
            asyncio.run(asked(server.target))
        elsewhere = Manifest(collection_uuid=uuid.uuid4(), counter=1, items={})
        with pytest.raises(ManifestError, match="the manifest is of collection"):
            reader.item_tags(where, ids, manifest=elsewhere)
        (fetched,) = reader.fetch(where, ids[:1])
        assert fetched.item is not None
        with pytest.raises(StaleItem, match="has no tags, not those that revision"):
            reader.restore(fetched.item, manifest=manifest)


def test_a_folder_keeps_its_tags_until_others_are_said(
    client: Client, photos: str, folder: Path
) -> None:
    def tags(name: str) -> list[str]:
        return ["deep"] if "/" in name else []

    index_folder(client, photos, folder, tags=tags)
    assert client.count(photos, TagFilter(any_of=["deep"])) == 2
    assert index_folder(client, photos, folder).unchanged == 5
    (folder / "deep/d.png").write_bytes((folder / "a.png").read_bytes())
    assert index_folder(client, photos, folder).indexed == 1
    assert client.count(photos, TagFilter(any_of=["deep"])) == 2
    assert index_folder(client, photos, folder, tags=lambda _: ["x"]).indexed == 5
    assert client.count(photos, TagFilter(any_of=["deep"])) == 0
    assert client.count(photos, TagFilter(all_of=["x"])) == 5


def test_a_rotation_makes_tokens_of_the_new_key(
    client: Client, target: str, codes: Collection
) -> None:
    assert isinstance(client.key, KeyEntry)
    with Client(target, key=KeyEntry.generate("new", client.key.parameters)) as new:
        before = Tagging(client.key, codes.uuid).asked(EVEN.tags)
        served = Rotation(client, new, codes.name).run().collection
        assert new.count(served, EVEN.tags) == 20
        assert new.item_tags(served, IDS[:1]) == {"i00": ["all", "even", "low"]}
        after = Tagging(new.key, served.uuid).asked(EVEN.tags)
        assert not set(before.any_of) & set(after.any_of)
        (found,) = new.search_codes(served, CODES[:1], 40, options=EVEN)
        assert sorted(found.item_ids) == IDS[::2]
