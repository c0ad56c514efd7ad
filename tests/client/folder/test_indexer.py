import struct
import threading
import uuid
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from PIL import Image

from cipherlens.client import (
    Client,
    FolderIndexer,
    Naming,
    Progress,
    Skipped,
    Unavailable,
    Vanished,
    Waiting,
    index_folder,
)
from cipherlens.client.manifests import ManifestFolder
from cipherlens.crypto import KeyEntry, ListedItem, ListedTags, Manifest, WrongKey, is_keyed_id
from cipherlens.v1 import collection_pb2
from cipherlens.v1 import retrieval_service_pb2 as messages
from cipherlens.wire import profile_message

Noise = Callable[..., Image.Image]


def declared_size(path: Path, width: int, height: int) -> None:
    """Write a PNG whose header says that it is of a size, with no pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(name + data)
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", checksum)

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b"") + chunk(b"IEND", b""))


def stored_names(client: Client, collection: str) -> list[str]:
    """Return the names of all items, opened as their owner does, in order."""
    ids = [item.item_id for item in client.list_items(collection)]
    assert all(is_keyed_id(each) for each in ids)
    return sorted(client.item_names(collection, ids).values())


def id_of(client: Client, collection: str, name: str) -> str:
    """Return the id under which the client's owner stores a name."""
    assert client.key is not None
    return Naming(client.key, client.get_collection(collection).uuid).id_of(name)


def test_a_folder_is_indexed_once_and_then_left_alone(
    client: Client, photos: str, folder: Path
) -> None:
    report = index_folder(client, photos, folder)
    assert (report.found, report.indexed, report.unchanged, report.skipped) == (5, 5, 0, ())
    assert stored_names(client, photos) == [
        "a.png",
        "b.png",
        "c.jpg",
        "deep/d.png",
        "deep/er/e.webp",
    ]
    sequence = client.get_collection(photos).sequence
    again = index_folder(client, photos, folder)
    assert (again.indexed, again.unchanged) == (0, 5)
    assert client.get_collection(photos).sequence == sequence


def test_only_what_changed_is_sent_again(
    client: Client, photos: str, folder: Path, noise: Noise
) -> None:
    index_folder(client, photos, folder)
    noise(77).save(folder / "b.png")
    noise(78).save(folder / "new.png")
    (folder / "a.png").unlink()
    report = index_folder(client, photos, folder)
    assert (report.indexed, report.unchanged, report.pruned) == (2, 3, 0)
    (fetched,) = client.fetch(photos, [id_of(client, photos, "b.png")])
    assert fetched.item is not None
    assert client.open_original(fetched.item).data == (folder / "b.png").read_bytes()
    assert client.get_collection(photos).item_count == 6


def test_leaving_the_seal_out_is_a_change(client: Client, photos: str, folder: Path) -> None:
    index_folder(client, photos, folder)
    assert all(item.sealed_size_bytes for item in client.list_items(photos))
    assert index_folder(client, photos, folder, seal=False).indexed == 5
    assert not any(item.sealed_size_bytes for item in client.list_items(photos))


def test_pruning_deletes_what_has_no_file(client: Client, photos: str, folder: Path) -> None:
    index_folder(client, photos, folder)
    (folder / "a.png").unlink()
    (folder / "b.png").write_bytes(b"damaged, but there")
    report = index_folder(client, photos, folder, prune=True)
    assert report.pruned == 1
    assert stored_names(client, photos) == ["b.png", "c.jpg", "deep/d.png", "deep/er/e.webp"]


def test_pruning_spares_what_another_has_written_meanwhile(
    client: Client, photos: str, folder: Path, noise: Noise
) -> None:
    index_folder(client, photos, folder)
    written = id_of(client, photos, "a.png")
    for name in ("a.png", "b.png"):
        (folder / name).unlink()
    new = folder / "new.png"
    noise(40).save(new)

    def write_meanwhile(event: object) -> None:
        if event == Progress(done=4, found=4):  # the folder's files are done with; pruning is next
            client.index_images(photos, [written], [new])

    report = index_folder(client, photos, folder, prune=True, on_event=write_meanwhile)
    assert report.pruned == 1
    assert written in {item.item_id for item in client.list_items(photos)}


def test_pruning_with_an_empty_folder_is_refused(
    client: Client, photos: str, folder: Path, tmp_path: Path
) -> None:
    index_folder(client, photos, folder)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ValueError, match="holds no picture"):
        index_folder(client, photos, empty, prune=True)
    assert client.get_collection(photos).item_count == 5


def test_a_folder_that_became_a_link_has_not_vanished(
    client: Client, photos: str, folder: Path, tmp_path: Path
) -> None:
    index_folder(client, photos, folder)
    (folder / "deep").rename(tmp_path / "elsewhere")
    (folder / "deep").symlink_to(tmp_path / "elsewhere")
    assert index_folder(client, photos, folder, prune=True).pruned == 0
    assert client.get_collection(photos).item_count == 5


def test_most_of_a_collection_is_deleted_only_if_a_caller_agrees(
    client: Client, photos: str, folder: Path, tmp_path: Path, noise: Noise
) -> None:
    index_folder(client, photos, folder)
    wrong = tmp_path / "wrong"
    wrong.mkdir()
    noise(50).save(wrong / "other.png")
    with pytest.raises(ValueError, match="would delete 5 of 5 items"):
        index_folder(client, photos, wrong, prune=True)
    assert client.get_collection(photos).item_count == 5  # asked before anything is sent
    asked: list[Vanished] = []
    assert (
        index_folder(client, photos, wrong, prune=lambda told: bool(asked.append(told))).pruned == 0
    )
    assert (asked[0].stored_count, asked[0].are_most) == (5, True)
    assert set(asked[0].names) == {"a.png", "b.png", "c.jpg", "deep/d.png", "deep/er/e.webp"}
    assert index_folder(client, photos, wrong, prune=lambda _: True).pruned == 5
    assert client.get_collection(photos).item_count == 1


def test_a_dry_run_sends_nothing(client: Client, photos: str, folder: Path, noise: Noise) -> None:
    index_folder(client, photos, folder)
    sequence = client.get_collection(photos).sequence
    (folder / "a.png").unlink()
    noise(60).save(folder / "b.png")
    events: list[object] = []
    report = index_folder(client, photos, folder, prune=True, dry_run=True, on_event=events.append)
    assert (report.indexed, report.unchanged, report.pruned) == (1, 3, 1)
    assert Vanished(names=("a.png",), stored_count=5) in events
    assert client.get_collection(photos).sequence == sequence


def test_names_never_reach_the_server(
    client: Client, photos: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[bytes] = []
    channel = client._channel
    unary, stream = channel.unary_unary, channel.unary_stream

    def watched(kind: Any) -> Any:
        def call(path: str, request_serializer: Any, *rest: Any, **named: Any) -> Any:
            def serialised(message: Any) -> bytes:
                sent.append(request_serializer(message))
                return sent[-1]

            return kind(path, serialised, *rest, **named)

        return call

    monkeypatch.setattr(channel, "unary_unary", watched(unary))
    monkeypatch.setattr(channel, "unary_stream", watched(stream))
    with Client(client.target, key=client.key, channel=channel) as watching:
        index_folder(watching, photos, folder)
        hits = watching.search_image(photos, folder / "deep/d.png", k=5)
        names = watching.item_names(photos, hits.item_ids)
        (folder / "a.png").unlink()
        index_folder(watching, photos, folder, prune=True)
    assert names[hits[0].item_id] == "deep/d.png"
    assert len(sent) > 5
    everything = b"".join(sent)
    for word in (b"a.png", b"b.png", b"c.jpg", b"deep", b"e.webp"):
        assert word not in everything


def test_what_was_written_and_deleted_is_signed(
    client: Client, photos: str, folder: Path, tmp_path: Path, noise: Noise
) -> None:
    assert client.key is not None
    manifests = ManifestFolder(tmp_path / "manifests")
    where = client.get_collection(photos)

    def signed() -> Manifest:
        assert client.key is not None
        known = manifests.load(where.uuid, client.key.verify_key)
        assert known is not None
        return known

    def as_stored() -> dict[str, ListedItem]:
        ids = [each.item_id for each in client.list_items(photos)]
        items = [each.item for each in client.fetch(photos, ids) if each.item is not None]
        return {
            each.item_id: ListedItem(
                each.revision, each.listed_digest(), bool(each.sealed_original), ListedTags()
            )
            for each in items
        }

    index_folder(client, photos, folder, manifests=manifests)
    assert (signed().counter, dict(signed().items)) == (1, as_stored())
    assert index_folder(client, photos, folder, manifests=manifests).unchanged == 5
    assert signed().counter == 1  # nothing was to be said
    (folder / "a.png").unlink()
    noise(50).save(folder / "b.png")
    index_folder(client, photos, folder, prune=True, manifests=manifests)
    assert (signed().counter, dict(signed().items)) == (2, as_stored())
    assert len(signed().items) == 4
    assert index_folder(client, photos, folder, dry_run=True, manifests=manifests).indexed == 0


def test_what_the_manifest_does_not_list_is_sent_again(
    client: Client, photos: str, folder: Path, tmp_path: Path
) -> None:
    index_folder(client, photos, folder)
    manifests = ManifestFolder(tmp_path / "manifests")
    assert index_folder(client, photos, folder, manifests=manifests).indexed == 5
    assert index_folder(client, photos, folder, manifests=manifests).unchanged == 5


def test_an_interrupted_run_signs_what_it_has_written(
    client: Client, photos: str, tmp_path: Path, noise: Noise
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(300):
        noise(number, (12, 8)).save(folder / f"{number:03}.png")
    manifests = ManifestFolder(tmp_path / "manifests")

    def interrupt(event: object) -> None:
        if isinstance(event, Progress) and event.done >= 64:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        index_folder(client, photos, folder, manifests=manifests, on_event=interrupt)
    wait_for_threads()
    assert client.key is not None
    known = manifests.load(client.get_collection(photos).uuid, client.key.verify_key)
    assert known is not None
    assert len(known.items) >= 64
    again = index_folder(client, photos, folder, manifests=manifests)
    assert again.unchanged == len(known.items)
    assert client.get_collection(photos).item_count == 300


def test_readable_ids_are_for_who_asks_for_them(client: Client, photos: str, folder: Path) -> None:
    report = index_folder(client, photos, folder, readable_ids=True)
    ids = [item.item_id for item in client.list_items(photos)]
    assert (report.indexed, ids[0], ids[-1]) == (5, "a.png", "deep/er/e.webp")
    assert client.item_names(photos, ids) == {each: each for each in ids}
    with pytest.raises(ValueError, match=r"stored already as item 'a\.png'"):
        index_folder(client, photos, folder)
    moved = index_folder(client, photos, folder, prune=lambda told: len(told.names) == 5)
    assert (moved.indexed, moved.pruned) == (5, 5)
    assert stored_names(client, photos) == ids


def test_a_name_is_as_long_as_its_tag_may_be(
    client: Client, photos: str, folder: Path, noise: Noise
) -> None:
    deep = folder / "/".join(["d" * 200] * 4)
    deep.mkdir(parents=True)
    noise(30).save(deep / ("e" * (959 - 4 * 201 - 4) + ".png"))
    noise(31).save(deep / ("f" * (960 - 4 * 201 - 4) + ".png"))
    report = index_folder(client, photos, folder)
    assert report.indexed == 6
    assert "a path of 960 bytes, the limit is 959" in report.skipped[0].reason


def test_odd_and_broken_pictures_do_not_stop_the_others(
    client: Client, photos: str, folder: Path, noise: Noise
) -> None:
    for mode in ("1", "L", "LA", "P", "RGBA", "CMYK", "I;16"):
        source = noise(9).convert("L") if mode in {"LA", "I;16"} else noise(9)
        suffix = "tif" if mode == "CMYK" else "png"
        image = Image.new("I;16", (60, 40), 3000) if mode == "I;16" else source.convert(mode)
        image.save(folder / f"mode-{mode.replace(';', '')}.{suffix}")
    whole = (folder / "c.jpg").read_bytes()
    (folder / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.png").write_text("no picture")
    (folder / "notes.txt").write_text("notes")
    declared_size(folder / "huge.png", 13_000, 13_000)
    declared_size(folder / "bomb.png", 60_000, 60_000)
    events: list[object] = []
    report = index_folder(client, photos, folder, on_event=events.append)
    assert report.indexed == 5 + 7
    assert report.other_files == 1  # notes.txt; what has a picture's name counts as found
    assert report.found == report.indexed + len(report.skipped) - report.other_files
    reasons = {each.name: each.reason for each in report.skipped}
    assert set(reasons) == {
        *("truncated.jpg", "empty.png", "text.png", "notes.txt", "huge.png", "bomb.png"),
    }
    assert "169,000,000 pixels, the limit is 100,000,000" in reasons["huge.png"]
    assert [each for each in events if isinstance(each, Skipped)] == list(report.skipped)
    assert [each for each in events if isinstance(each, Progress)][-1] == Progress(
        done=17, found=17
    )


def test_a_file_beyond_what_a_seal_may_hold_is_skipped(
    client: Client, photos: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (folder / "long.png").open("wb") as file:
        file.truncate(17 * 2**20)
    report = index_folder(client, photos, folder)
    assert report.indexed == 5
    assert [each.name for each in report.skipped] == ["long.png"]
    assert "17,825,792 bytes, the limit is" in report.skipped[0].reason


def test_a_collection_that_does_not_fit(
    target: str, client: Client, photos: str, image_key: KeyEntry, folder: Path
) -> None:
    client.create_vector_collection("only-vectors", 4)
    with pytest.raises(ValueError, match="holds items of kind vector"):
        index_folder(client, "only-vectors", folder)
    with (
        Client(target, key=image_key) as other,
        pytest.raises(WrongKey, match=image_key.fingerprint.hex()),
    ):
        index_folder(other, photos, folder)


def test_an_interrupted_run_goes_on_where_it_stopped(
    client: Client, photos: str, tmp_path: Path, noise: Noise
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(300):
        noise(number, (12, 8)).save(folder / f"{number:03}.png")

    def interrupt(event: object) -> None:
        if isinstance(event, Progress) and event.done >= 64:
            raise KeyboardInterrupt

    indexer = FolderIndexer(client, photos, folder, on_event=interrupt)
    with pytest.raises(KeyboardInterrupt):
        indexer.run()
    wait_for_threads()
    done = client.get_collection(photos).item_count
    assert 64 <= indexer.report.indexed == done < 300
    report = index_folder(client, photos, folder)
    assert (report.indexed, report.unchanged) == (300 - done, done)


def wait_for_threads() -> None:
    """Wait for what an interrupted run left under way."""
    for thread in threading.enumerate():
        if thread.name.startswith(("index", "ahead")):
            thread.join(20)


def test_batches_are_sent_while_others_are_under_way(
    client: Client, photos: str, tmp_path: Path, noise: Noise, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(130):
        noise(number, (12, 8)).save(folder / f"{number:03}.png")
    meeting = threading.Barrier(2, timeout=20)
    write = client.index_encrypted

    def meet(where: Any, item_ids: list[str], *rest: Any, **named: Any) -> Any:
        if len(item_ids) == 64:
            meeting.wait()  # both full batches are on their way before either is sent
        return write(where, item_ids, *rest, **named)

    monkeypatch.setattr(client, "index_encrypted", meet)
    report = index_folder(client, photos, folder)
    assert (report.indexed, report.skipped) == (130, ())
    assert stored_names(client, photos) == [f"{number:03}.png" for number in range(130)]


def test_what_is_skipped_is_told_in_the_order_of_the_files(
    client: Client, photos: str, folder: Path, noise: Noise
) -> None:
    for number in range(20):
        path = folder / f"m-{number:02}.png"
        if number % 2:
            noise(number).save(path)
        else:
            path.write_bytes(b"no picture")
    report = index_folder(client, photos, folder)
    assert [each.name for each in report.skipped] == [f"m-{n:02}.png" for n in range(0, 20, 2)]
    assert report.indexed == 5 + 10


def test_a_failure_of_a_batch_ends_the_run_and_the_next_one_goes_on(
    client: Client, photos: str, folder: Path, noise: Noise, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cipherlens.client.folder import reading

    for number in range(100):
        noise(number, (12, 8)).save(folder / f"m-{number:03}.png")
    prepare = reading.prepare_picture

    def fail(data: bytes, size: Any) -> Any:
        if data == (folder / "m-090.png").read_bytes():
            raise RuntimeError("a defect")
        return prepare(data, size)

    monkeypatch.setattr(reading, "prepare_picture", fail)
    with pytest.raises(RuntimeError, match="a defect"):
        index_folder(client, photos, folder)
    wait_for_threads()
    done = client.get_collection(photos).item_count
    assert done == 64
    monkeypatch.setattr(reading, "prepare_picture", prepare)
    assert index_folder(client, photos, folder).indexed == 105 - done


class Cloud:
    """What a scripted server says of itself and of one empty collection of a key."""

    def __init__(self, key: KeyEntry) -> None:
        profile = profile_message(key.profile)
        collection = collection_pb2.Collection(
            uuid="0dcaf76d-cf95-4529-8ff8-7bc34bf8d528",
            name="photos",
            kind=collection_pb2.COLLECTION_KIND_CIPHER,
            profile=profile,
        )
        self.collection = messages.GetCollectionResponse(collection=collection)
        self.info = messages.GetServerInfoResponse(
            limits=messages.Limits(
                max_message_bytes=2**25,
                max_sealed_bytes=2**24,
                max_batch_items=1024,
                max_item_id_bytes=512,
                max_owner_tag_bytes=1024,
            )
        )
        self.items = messages.ListItemsResponse()
        self.naming = Naming(key, uuid.UUID(collection.uuid))


@pytest.fixture
def cloud(scripted, key: KeyEntry):
    answers = Cloud(key)
    scripted.will("GetCollection", answers.collection)
    scripted.will("GetServerInfo", answers.info)
    scripted.will("ListItems", answers.items)
    scripted.naming = answers.naming
    return scripted


def refuse(code: grpc.StatusCode, **metadata: str) -> Callable[[grpc.ServicerContext], None]:
    """Return an answer that refuses, naming what the metadata says."""
    from google.protobuf import any_pb2
    from google.rpc import error_details_pb2, status_pb2
    from grpc_status import rpc_status

    detail = any_pb2.Any()
    detail.Pack(error_details_pb2.ErrorInfo(reason="X", metadata=metadata))
    status = status_pb2.Status(code=code.value[0], message="refused", details=[detail])
    return lambda context: context.abort_with_status(rpc_status.to_status(status))


def test_an_item_that_the_server_names_is_left_out(cloud, key: KeyEntry, folder: Path) -> None:
    cloud.will(
        "Index",
        refuse(grpc.StatusCode.INVALID_ARGUMENT, field="items[1].owner_tag"),
        refuse(
            grpc.StatusCode.FAILED_PRECONDITION,
            field="items.revision",
            item_id=cloud.naming.id_of("c.jpg"),
        ),
        messages.IndexResponse(sequence=3, written_count=3),
    )
    with Client(cloud.target, key=key) as client:
        report = index_folder(client, "photos", folder)
    assert report.indexed == 3
    assert {each.name for each in report.skipped} == {"b.png", "c.jpg"}
    last = cloud.calls("Index")[-1]
    left = ["a.png", "deep/d.png", "deep/er/e.webp"]
    assert [item.item_id for item in last.items] == [cloud.naming.id_of(name) for name in left]


def test_a_refusal_of_all_ends_the_run(cloud, key: KeyEntry, folder: Path) -> None:
    from cipherlens.client import FailedPrecondition

    cloud.will("Index", refuse(grpc.StatusCode.FAILED_PRECONDITION))
    with (
        Client(cloud.target, key=key) as client,
        pytest.raises(FailedPrecondition, match="refused"),
    ):
        index_folder(client, "photos", folder)
    assert len(cloud.calls("Index")) == 1


def test_what_is_sent_again_is_the_same_bytes(cloud, image_key, key, folder: Path) -> None:
    cloud.will(
        "Index",
        refuse(grpc.StatusCode.DEADLINE_EXCEEDED),
        messages.IndexResponse(sequence=5, written_count=5),
    )
    with Client(cloud.target, key=key) as client:
        assert index_folder(client, "photos", folder).indexed == 5
    first, second = cloud.calls("Index")
    assert first.SerializeToString(deterministic=True) == second.SerializeToString(
        deterministic=True
    )


def test_a_server_that_stays_away_ends_the_run(cloud, key: KeyEntry, folder: Path) -> None:
    cloud.will("Index", *[refuse(grpc.StatusCode.UNAVAILABLE)] * 20)
    events: list[object] = []
    with (
        Client(cloud.target, key=key) as client,
        pytest.raises(Unavailable, match="refused"),
    ):
        index_folder(client, "photos", folder, on_event=events.append)
    assert [each for each in events if isinstance(each, Waiting)] == [Waiting(reason="refused")] * 2
    sent = cloud.calls("Index")
    assert len(sent) > 3
    assert all(request == sent[0] for request in sent)
