import json
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cipherlens.client import (
    AlreadyExists,
    Client,
    EncryptedPicture,
    FailedPrecondition,
    IndexChoice,
    InvalidArgument,
    ItemState,
    NotFound,
    SearchOptions,
    UnreadableAnswer,
    pack_bits,
)
from cipherlens.crypto import KeyEntry, OpenError, Original, StaleItem, WrongKey, open_image
from cipherlens.v1 import collection_pb2
from cipherlens.v1 import retrieval_service_pb2 as messages
from cipherlens.v1.collection_pb2 import Collection
from cipherlens.v1.item_pb2 import StoredItem

Noise = Callable[..., Image.Image]


def test_pictures_from_encryption_to_the_opened_original(
    client: Client, photos: str, noise: Noise, folder: Path
) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    ids = [path.name for path in files]
    result = client.index_images(photos, ids, files)
    assert (result.written_count, result.unchanged_count) == (5, 0)
    hits = client.search_image(
        photos,
        files[2],
        k=5,
        with_items=True,
        options=SearchOptions(min_sequence=result.sequence),
    )
    assert sorted(hits.item_ids) == sorted(ids)
    assert hits[0].item_id == ids[2]
    assert hits[0].similarity == pytest.approx(1, abs=1e-3)
    assert list(hits.similarities) == sorted(hits.similarities, reverse=True)
    for hit in hits:
        assert hit.item is not None
        assert client.open_original(hit.item).data == files[ids.index(hit.item_id)].read_bytes()
        assert client.decrypt(hit.item).size == (48, 32)


def test_the_server_holds_no_plain_pixel(client: Client, photos: str, noise: Noise) -> None:
    client.index_images(photos, ["a"], [noise(1)])
    (fetched,) = client.fetch(photos, ["a"])
    assert fetched.item is not None
    assert fetched.item.cipher_image is not None
    seen = fetched.item.cipher_image.pixels
    assert not np.array_equal(seen, np.asarray(client.decrypt(fetched.item)))


def test_an_item_in_another_place_does_not_open(client: Client, photos: str, noise: Noise) -> None:
    client.index_images(photos, ["a", "b"], [noise(1), noise(2)])
    first, second = (each.item for each in client.fetch(photos, ["a", "b"]))
    assert first is not None
    assert second is not None
    client.open_original(first)
    with pytest.raises(OpenError):
        client.open_original(replace(first, sealed_original=second.sealed_original))
    with pytest.raises(StaleItem):
        client.open_original(first, min_revision=first.revision + 1)


def test_pictures_of_another_key_are_refused(
    target: str, client: Client, photos: str, image_key: KeyEntry, noise: Noise
) -> None:
    with Client(target, key=image_key) as other:
        with pytest.raises(WrongKey, match=f"key 'fresh' is {image_key.fingerprint.hex()}"):
            other.index_images(photos, ["a"], [noise(1)])
        # A server refuses what a caller encrypts by himself.
        with pytest.raises(FailedPrecondition, match=image_key.fingerprint.hex()) as caught:
            other.index_encrypted(
                photos, ["a"], [EncryptedPicture(cipher_image=other.encrypt_query(noise(1)))]
            )
        assert "key_fingerprint" in str(caught.value)
        client.index_images(photos, ["a"], [noise(1)])
        (fetched,) = client.fetch(photos, ["a"])
        assert fetched.item is not None
        with pytest.raises(WrongKey, match="item 'a' is of key"):
            other.open_original(fetched.item)
        client.delete(photos, ["a"])
    assert client.get_collection(photos).item_count == 0


def test_without_a_key_ciphertext_is_handled_and_pictures_are_not(
    target: str, client: Client, photos: str, noise: Noise
) -> None:
    client.index_images(photos, ["a"], [noise(1)])
    query = client.encrypt_query(noise(1))
    with Client(target) as stranger:
        (hit,) = stranger.search_image(photos, query, k=3, with_items=True)
        assert hit.item is not None
        for attempt in (
            lambda: stranger.open_original(hit.item),
            lambda: stranger.search_image(photos, noise(1)),
            lambda: stranger.create_cipher_collection("mine"),
        ):
            with pytest.raises(ValueError, match="needs a key"):
                attempt()


def test_vectors(client: Client) -> None:
    vectors = np.random.default_rng(0).normal(size=(2500, 8))
    client.create_vector_collection("vectors", 8)
    ids = [f"v{number}" for number in range(2500)]
    assert client.index_vectors("vectors", ids, vectors).written_count == 2500
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    hits = client.search_vectors("vectors", vectors[:3], k=4, options=SearchOptions(exact=True))
    for query, found in enumerate(hits):
        expected = np.argsort(-(unit @ unit[query]))[:4]
        assert found.item_ids == tuple(ids[number] for number in expected)
        assert found.similarities == pytest.approx(
            (unit @ unit[query])[expected].tolist(), abs=1e-5
        )


@pytest.mark.parametrize("choice", ["auto", "flat", IndexChoice.IVF])
def test_an_index_is_asked_for_and_stated(client: Client, choice: str) -> None:
    made = [
        client.create_vector_collection(f"v-{choice}", 8, index=choice),
        client.create_code_collection(f"c-{choice}", 24, index=choice),
        client.create_cipher_collection(f"i-{choice}", index=choice),
    ]
    assert [each.index_choice for each in made] == [IndexChoice(choice)] * 3
    assert client.get_collection(f"v-{choice}").index_choice == choice


def test_an_index_that_is_none_is_refused_before_anything_is_sent(client: Client) -> None:
    with pytest.raises(ValueError, match="'tree' is not a valid IndexChoice"):
        client.create_vector_collection("tree", 8, index="tree")


def test_originals_beside_vectors(client: Client) -> None:
    client.create_vector_collection("described", 4)
    original = Original(media_type="text/plain", data=b"words")
    client.index_vectors("described", ["a"], [[3.0, 4, 0, 0]], originals=[original])
    (hits,) = client.search_vectors("described", [[3.0, 4, 0, 0]], with_items=True)
    assert hits[0].item is not None
    assert client.open_original(hits[0].item) == original


@pytest.mark.parametrize("bits", [12, 24, 48, 256])
def test_codes_with_sealed_originals(client: Client, bits: int) -> None:
    name = f"codes-{bits}"
    rows = np.random.default_rng(bits).integers(0, 2, (30, bits))
    codes = pack_bits(rows)
    client.create_code_collection(name, bits)
    originals = [Original(media_type="text/plain", data=b"%d" % number) for number in range(30)]
    ids = [f"c{number}" for number in range(30)]
    client.index_codes(name, ids, codes, originals=originals)
    (hits,) = client.search_codes(name, codes[7:8], k=30, with_items=True)
    distances = (rows != rows[7]).sum(axis=1)
    order = np.lexsort((np.arange(30), distances))
    assert hits.item_ids == tuple(ids[number] for number in order)
    assert hits.distances == tuple(distances[order].tolist())
    for hit, number in zip(hits, order, strict=True):
        assert hit.item is not None
        assert client.open_original(hit.item) == originals[number]


def test_hits_carry_their_items_beyond_one_message(
    target: str, key: KeyEntry, client: Client
) -> None:
    client.create_code_collection("heavy", 24)
    heavy = [Original(media_type="a/b", data=bytes([number]) * 2**21) for number in range(20)]
    codes = pack_bits(np.random.default_rng(0).integers(0, 2, (20, 24)))
    client.index_codes("heavy", [str(number) for number in range(20)], codes, originals=heavy)
    (hits,) = client.search_codes("heavy", codes[:1], k=20, with_items=True)
    assert len(hits.items) == 20
    assert all(client.open_original(hit.item).data for hit in hits if hit.item)


def test_fetch_tells_what_became_of_every_id(client: Client) -> None:
    client.create_code_collection("states", 24)
    client.index_codes("states", ["a", "b"], np.zeros((2, 3), np.uint8), revisions=[7, 8])
    found = list(client.fetch("states", ["b", "nobody", "a"]))
    assert [(each.item_id, each.state) for each in found] == [
        ("b", ItemState.PRESENT),
        ("nobody", ItemState.MISSING),
        ("a", ItemState.PRESENT),
    ]
    assert [each.item.revision if each.item else None for each in found] == [8, None, 7]


def test_listing_goes_over_all_pages(client: Client) -> None:
    client.create_code_collection("pages", 24)
    ids = [f"{number:04}" for number in range(25)]
    tags = [bytes([number]) for number in range(25)]
    client.index_codes("pages", ids, np.zeros((25, 3), np.uint8), owner_tags=tags)
    listed = list(client.list_items("pages", page_size=7))
    assert [each.item_id for each in listed] == ids
    assert [each.owner_tag for each in listed] == tags
    assert client.delete("pages", [*ids[:3], "nobody"]) == 3
    assert [each.item_id for each in client.list_items("pages")] == ids[3:]


def test_deleting_up_to_a_change_spares_what_came_later(client: Client) -> None:
    client.create_code_collection("spared", 24)
    codes = np.arange(6, dtype=np.uint8).reshape(2, 3)
    seen = client.index_codes("spared", ["a", "b"], codes).sequence
    client.index_codes("spared", ["b"], codes[:1])
    assert client.delete("spared", ["a", "b"], up_to_sequence=seen) == 1
    assert [each.item_id for each in client.list_items("spared")] == ["b"]


def test_revisions_that_are_not_given_are_numbers_that_json_holds(client: Client) -> None:
    client.create_code_collection("json", 24)
    client.index_codes("json", ["a"], np.zeros((1, 3), np.uint8))
    (item,) = client.list_items("json")
    assert abs(item.revision / 1e6 - time.time()) < 3600  # microseconds
    assert json.loads(json.dumps(item.revision), parse_int=float) == item.revision


def test_the_same_revision_with_the_same_content_is_left_alone(client: Client) -> None:
    client.create_code_collection("again", 24)
    codes = np.arange(6, dtype=np.uint8).reshape(2, 3)
    client.index_codes("again", ["a", "b"], codes, revisions=[1, 1])
    result = client.index_codes("again", ["a", "b"], codes, revisions=[1, 1])
    assert (result.written_count, result.unchanged_count) == (0, 2)
    with pytest.raises(FailedPrecondition) as caught:
        client.index_codes("again", ["a"], codes[1:], revisions=[1])
    assert caught.value.reason == "STALE_REVISION"
    assert caught.value.metadata["item_id"] == "a"
    assert client.index_codes("again", ["a"], codes[1:]).written_count == 1


def test_what_the_server_refuses_keeps_its_words(client: Client) -> None:
    with pytest.raises(NotFound, match="'nothing'"):
        client.get_collection("nothing")
    with pytest.raises(InvalidArgument) as caught:
        client.create_vector_collection("bad name", 4)
    assert caught.value.metadata["field"] == "name"
    client.create_vector_collection("twice", 4)
    with pytest.raises(AlreadyExists):
        client.create_vector_collection("twice", 4)
    with pytest.raises(InvalidArgument, match="k"):
        client.search_vectors("twice", [[1.0, 0, 0, 0]], k=10_000)
    client.delete_collection("twice")
    with pytest.raises(NotFound):
        client.delete_collection("twice")


def test_what_is_wrong_before_anything_is_sent(client: Client) -> None:
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        client.search_vectors("any", [[1.0]], k=0)
    with pytest.raises(ValueError, match="revisions must be as many as the 2 item_ids, got 1"):
        client.index_vectors("any", ["a", "b"], [[1.0], [2.0]], revisions=[1])
    with pytest.raises(ValueError, match="got 2, 1 and 2"):
        client.index_vectors("any", ["a", "b"], [[1.0]])


@pytest.mark.parametrize("given", [2, 4])
@pytest.mark.parametrize("kind", [list, iter])
def test_ids_and_pictures_of_different_number_write_nothing(
    client: Client, photos: str, noise: Noise, given: int, kind: Callable[[Any], Any]
) -> None:
    pictures = [noise(number) for number in range(given)]
    encrypted = [
        EncryptedPicture(cipher_image=client.encrypt_query(picture)) for picture in pictures
    ]
    number = str(given) if kind is list or given == 2 else "more"
    for write, entries in (
        (client.index_images, pictures),
        (client.index_encrypted, encrypted),
    ):
        with pytest.raises(
            ValueError, match=f"pictures must be as many as the 3 item_ids, got {number}"
        ):
            write(photos, ["a", "b", "c"], kind(entries))
    assert client.get_collection(photos).item_count == 0


def test_ids_and_originals_of_different_number_write_nothing(client: Client) -> None:
    client.create_vector_collection("uneven", 2)
    original = Original(media_type="text/plain", data=b"words")
    with pytest.raises(ValueError, match="originals must be as many as the 2 item_ids, got 1"):
        client.index_vectors("uneven", ["a", "b"], [[1, 0], [0, 1]], originals=[original])
    assert client.get_collection("uneven").item_count == 0


def test_another_key_brings_its_own_cipher(
    client: Client, key: KeyEntry, image_key: KeyEntry, noise: Noise
) -> None:
    assert client.encrypt_query(noise(1)).key_fingerprint == key.fingerprint
    client.key = image_key
    assert client.encrypt_query(noise(1)).key_fingerprint == image_key.fingerprint
    client.key = None
    with pytest.raises(ValueError, match="needs a key"):
        client.encrypt_query(noise(1))


@pytest.mark.parametrize("timeout_s", [0, -1.0])
def test_a_timeout_of_nothing_is_not_the_default(client: Client, timeout_s: float) -> None:
    where = replace(client.create_vector_collection(f"hasty{timeout_s}", 1), name="any")
    for call in (
        lambda: client.list_models(timeout_s=timeout_s),
        lambda: list(client.fetch(where, ["a"], timeout_s=timeout_s)),
        lambda: client.search_vectors("any", [[1.0]], timeout_s=timeout_s),
    ):
        with pytest.raises(ValueError, match="timeout_s must be above 0, got"):
            call()


def test_models_are_pushed_with_progress(client: Client, photos: str, checkpoint: Path) -> None:
    steps: list[tuple[int, int]] = []
    model = client.push_model(
        checkpoint, collection=photos, on_progress=lambda sent, total: steps.append((sent, total))
    )
    size = checkpoint.stat().st_size
    assert steps[-1] == (size, size)
    assert (model.size_bytes, model.dimension, model.name) == (size, 16, "tiny")
    assert model.digest in {each.digest for each in client.list_models()}
    active = client.get_collection(photos).active
    assert active is not None
    assert active.model_digest == model.digest


def test_a_file_that_is_no_model(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "fake.safetensors"
    path.write_bytes(b"x" * 100)
    with pytest.raises(InvalidArgument):
        client.push_model(path)
    with pytest.raises(FileNotFoundError):
        client.push_model(tmp_path / "absent")


def test_threads_share_a_client(client: Client) -> None:
    client.create_vector_collection("shared", 4)
    client.index_vectors("shared", [str(n) for n in range(4)], np.eye(4))
    found: list[str] = []

    def ask(number: int) -> None:
        (hits,) = client.search_vectors("shared", np.eye(4)[number : number + 1], k=1)
        found.append(hits.item_ids[0] + str(number))

    threads = [threading.Thread(target=ask, args=(number % 4,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted(f"{n}{n}" for n in range(4) for _ in range(4))


def test_an_original_larger_than_a_batch_travels_alone(
    client: Client, photos: str, tmp_path: Path, noise: Noise
) -> None:
    big = tmp_path / "big.bmp"
    noise(1, (2000, 1700)).save(big)
    assert big.stat().st_size > 8 * 2**20
    client.index_images(photos, ["s", "big", "t"], [noise(1), big, noise(2)])
    (fetched,) = client.fetch(photos, ["big"])
    assert fetched.item is not None
    assert open_image(client.open_original(fetched.item).data).size == (2000, 1700)


def test_long_ids_and_many_queries_are_split_so_that_answers_fit(client: Client) -> None:
    rows = np.random.default_rng(0).normal(size=(1000, 4)).astype(np.float32)
    client.create_vector_collection("long-ids", 4)
    client.index_vectors("long-ids", [f"{n:0>500}" for n in range(len(rows))], rows)
    found = client.search_vectors("long-ids", rows[:70], k=1000)
    assert [len(hits) for hits in found] == [1000] * 70
    assert [hits[0].item_id for hits in found] == [f"{n:0>500}" for n in range(70)]


def test_a_server_that_gives_another_item_than_was_asked_for_is_found_out(
    scripted: Any, image_key: KeyEntry
) -> None:
    limits = messages.Limits(max_message_bytes=2**20, max_batch_items=8)
    uuid_text = str(uuid.UUID(int=1))
    made = Collection(uuid=uuid_text, name="c", kind=collection_pb2.COLLECTION_KIND_CODE)
    swapped = messages.FetchResponse(
        item_id="a", state=messages.ITEM_STATE_PRESENT, item=StoredItem(item_id="b", code=b"x")
    )
    with Client(scripted.target, key=image_key) as client:
        for answers in ([swapped], []):
            scripted.will("GetCollection", messages.GetCollectionResponse(collection=made))
            scripted.will("GetServerInfo", messages.GetServerInfoResponse(limits=limits))
            scripted.will("Fetch", iter(answers))
            with pytest.raises(UnreadableAnswer):
                list(client.fetch("c", ["a"]))


def test_batches_fit_into_the_messages_of_the_channel(target: str) -> None:
    rows = np.random.default_rng(4).normal(size=(2000, 128))  # 1 MB, in messages of 384 KiB
    ids = [f"v{number}" for number in range(len(rows))]
    with Client(target, max_message_bytes=3 * 2**17) as narrow:
        assert narrow.limits.max_message_bytes == 3 * 2**17
        narrow.create_vector_collection("narrow", 128)
        assert narrow.index_vectors("narrow", ids, rows).written_count == 2000
        hits = narrow.search_vectors("narrow", rows[:400], 100)
    assert [each.item_ids[0] for each in hits] == ids[:400]
