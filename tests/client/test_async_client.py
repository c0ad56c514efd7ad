import asyncio
import inspect
import threading
from collections.abc import Callable, Coroutine, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from PIL import Image

from cipherlens.client import (
    AsyncClient,
    Cancelled,
    Client,
    DeadlineExceeded,
    Deadlines,
    FailedPrecondition,
    InvalidArgument,
    ItemState,
    NotFound,
    ResourceExhausted,
    SearchOptions,
    Unavailable,
    UnreadableAnswer,
    pack_bits,
)
from cipherlens.crypto import KeyEntry, Original, StaleItem
from cipherlens.v1 import collection_pb2
from cipherlens.v1 import retrieval_service_pb2 as messages
from tests.client.refusals import BUSY

Noise = Callable[..., Image.Image]


def awaited(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Return a test that runs the given one on a loop of its own."""

    @wraps(test)
    def run(*args: Any, **fixtures: Any) -> None:
        asyncio.run(test(*args, **fixtures))

    return run


def _public(client: type) -> dict[str, Any]:
    """Return the members of a class that callers see, as they are defined."""
    names = [name for name in dir(client) if not name.startswith("_")]
    return {name: inspect.getattr_static(client, name) for name in ["__init__", *names]}


def test_the_surface_is_that_of_the_client_that_blocks() -> None:
    blocking, awaiting = _public(Client), _public(AsyncClient)
    assert awaiting.keys() == blocking.keys()
    for name, member in blocking.items():
        other = awaiting[name]
        if isinstance(member, property):
            assert isinstance(other, property), name
            assert (other.fset is None) == (member.fset is None), name
            continue
        # A channel of one's own is of another class.
        apart = ["join_searches", "channel"] if name == "__init__" else []
        assert _parameters(other, but=apart) == _parameters(member, but=apart), name
        iterates = inspect.isgeneratorfunction(member)
        assert inspect.isasyncgenfunction(other) == iterates, name
        assert inspect.iscoroutinefunction(other) != (iterates or name == "__init__"), name


def _parameters(method: Callable[..., Any], but: Sequence[str] = ()) -> list[inspect.Parameter]:
    """Return names, defaults and types, in their order, but for some."""
    parameters = inspect.signature(method).parameters.values()
    return [each for each in parameters if each.name not in but]


@awaited
async def test_pictures_from_encryption_to_the_opened_original(
    target: str, key: KeyEntry, checkpoint: Path, folder: Path
) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    ids = [path.name for path in files]
    steps: list[tuple[int, int]] = []
    async with AsyncClient(target, key=key) as client:
        await client.create_cipher_collection("photos")
        model = await client.push_model(
            checkpoint,
            collection="photos",
            on_progress=lambda sent, total: steps.append((sent, total)),
        )
        assert steps[-1] == (model.size_bytes, model.size_bytes)
        assert model in await client.list_models()
        written = await client.index_images("photos", ids, files)
        assert written.written_count == 5
        fresh = SearchOptions(min_sequence=written.sequence)
        hits = await client.search_image("photos", files[2], k=5, with_items=True, options=fresh)
        assert hits.item_ids[0] == ids[2]
        assert sorted(hits.item_ids) == sorted(ids)
        for hit in hits:
            assert hit.item is not None
            data = files[ids.index(hit.item_id)].read_bytes()
            assert (await client.open_original(hit.item)).data == data
            assert (await client.restore(hit.item)).data == data
            assert (await client.decrypt(hit.item)).size == (48, 32)
            with pytest.raises(StaleItem):
                await client.open_original(hit.item, min_revision=hit.item.revision + 1)
        query = await client.encrypt_query(files[1])
        (found,) = await client.search_cipher_images("photos", [query], k=1)
        assert found.item_ids == (ids[1],)


@awaited
async def test_without_a_key_pictures_are_not_handled(target: str, noise: Noise) -> None:
    async with AsyncClient(target) as client:
        for attempt in (
            client.create_cipher_collection("mine"),
            client.search_image("photos", noise(1)),
            client.index_images("photos", ["a"], [noise(1)]),
            client.encrypt_query(noise(1)),
        ):
            with pytest.raises(ValueError, match="needs a key"):
                await attempt


@awaited
async def test_vectors_in_batches_and_many_searches_at_once(target: str) -> None:
    vectors = np.random.default_rng(0).normal(size=(2500, 8))
    ids = [f"v{number}" for number in range(2500)]
    async with AsyncClient(target) as client:
        made = await client.create_vector_collection("vectors", 8, index="hnsw")
        assert made.index_choice == "hnsw"
        assert made == await client.resolve("vectors")
        assert (await client.limits).max_batch_items < len(ids)
        assert (await client.index_vectors("vectors", ids, vectors)).written_count == 2500
        exact = SearchOptions(exact=True)
        answers = await asyncio.gather(
            *(
                client.search_vectors("vectors", vectors[number : number + 1], k=4, options=exact)
                for number in range(32)
            )
        )
        together = await client.search_vectors("vectors", vectors[:32], k=4, options=exact)
    assert [hits.item_ids[0] for (hits,) in answers] == ids[:32]
    assert [hits.item_ids for (hits,) in answers] == [hits.item_ids for hits in together]


@awaited
async def test_codes_with_sealed_originals(target: str, key: KeyEntry) -> None:
    codes = pack_bits(np.random.default_rng(1).integers(0, 2, (30, 24)))
    originals = [Original(media_type="text/plain", data=b"%d" % number) for number in range(30)]
    async with AsyncClient(target, key=key) as client:
        await client.create_code_collection("codes", 24)
        ids = [f"c{number}" for number in range(30)]
        await client.index_codes("codes", ids, codes, originals=originals)
        (hits,) = await client.search_codes("codes", codes[7:8], k=30, with_items=True)
        assert hits.distances == tuple(sorted(hits.distances))
        for hit in hits:
            assert hit.item is not None
            assert await client.open_original(hit.item) == originals[int(hit.item_id[1:])]


@awaited
async def test_items_are_listed_fetched_and_deleted(target: str) -> None:
    ids = [f"{number:04}" for number in range(25)]
    async with AsyncClient(target) as client:
        await client.create_code_collection("pages", 24)
        await client.index_codes("pages", ids, np.zeros((25, 3), np.uint8))
        assert [item.item_id async for item in client.list_items("pages", page_size=7)] == ids
        found = [each async for each in client.fetch("pages", [ids[3], "nobody"])]
        assert [(each.item_id, each.state) for each in found] == [
            (ids[3], ItemState.PRESENT),
            ("nobody", ItemState.MISSING),
        ]
        assert await client.delete("pages", [*ids[:3], "nobody"]) == 3
        assert [item.item_id async for item in client.list_items("pages")] == ids[3:]
        assert "pages" in {each.name for each in await client.list_collections()}
        await client.delete_collection("pages")
        with pytest.raises(NotFound, match="'pages'"):
            await client.get_collection("pages")


@awaited
async def test_what_the_server_refuses_keeps_its_reason(target: str, tmp_path: Path) -> None:
    fake = tmp_path / "fake.safetensors"
    fake.write_bytes(b"x" * 100)
    codes = np.arange(6, dtype=np.uint8).reshape(2, 3)
    async with AsyncClient(target) as client:
        await client.create_code_collection("again", 24)
        await client.index_codes("again", ["a"], codes[:1], revisions=[1])
        with pytest.raises(FailedPrecondition) as caught:
            await client.index_codes("again", ["a"], codes[1:], revisions=[1])
        with pytest.raises(InvalidArgument):
            await client.push_model(fake)
        with pytest.raises(FileNotFoundError):
            await client.push_model(tmp_path / "absent")
    assert (caught.value.reason, caught.value.metadata["item_id"]) == ("STALE_REVISION", "a")


@awaited
async def test_what_is_wrong_before_anything_is_sent(target: str) -> None:
    async with AsyncClient(target) as client:
        with pytest.raises(ValueError, match="k must be at least 1, got 0"):
            await client.search_vectors("any", [[1.0]], k=0)
        with pytest.raises(ValueError, match="revisions must be as many as the 2 item_ids, got 1"):
            await client.index_vectors("any", ["a", "b"], [[1.0], [2.0]], revisions=[1])
        with pytest.raises(ValueError, match="timeout_s must be above 0, got 0"):
            await client.list_models(timeout_s=0)


@awaited
async def test_pictures_are_taken_in_a_thread(target: str, key: KeyEntry, noise: Noise) -> None:
    threads = set()

    class Queries(list[Image.Image]):
        def __iter__(self) -> Any:
            threads.add(threading.current_thread())
            return super().__iter__()

    async with AsyncClient(target, key=key) as client:
        await client.create_cipher_collection("elsewhere")
        for attempt in (
            client.index_images("elsewhere", ["a"], Queries([noise(1)])),
            client.search_images("elsewhere", Queries([noise(1)])),
        ):
            with pytest.raises(FailedPrecondition, match="model"):
                await attempt
    assert threads
    assert threading.main_thread() not in threads


@awaited
async def test_a_busy_server_is_asked_again_and_given_up(scripted: Any) -> None:
    scripted.will("ListModels", BUSY, BUSY, messages.ListModelsResponse(), *[BUSY] * 9)
    async with AsyncClient(scripted.target) as client:
        assert await client.list_models() == []
        assert len(scripted.calls("ListModels")) == 3
        with pytest.raises(ResourceExhausted) as caught:
            await client.list_models()
    assert caught.value.reason == "QUEUE_FULL"
    assert len(scripted.calls("ListModels")) == 3 + 5


class Patience:
    """An answer that comes when the caller has gone."""

    def __init__(self) -> None:
        self.begun, self.gone = threading.Event(), threading.Event()

    def __call__(self, context: grpc.ServicerContext) -> messages.ListModelsResponse:
        context.add_callback(self.gone.set)
        self.begun.set()
        self.gone.wait(10)
        return messages.ListModelsResponse()


@awaited
async def test_an_answer_that_does_not_come(scripted: Any) -> None:
    scripted.will("ListModels", Patience(), Patience())
    async with AsyncClient(scripted.target, deadlines=Deadlines(quick_s=0.2)) as client:
        with pytest.raises(DeadlineExceeded):
            await client.list_models()
        with pytest.raises(DeadlineExceeded):
            await client.list_models(timeout_s=0.1)


@awaited
async def test_a_task_that_is_cancelled_cancels_its_call(scripted: Any) -> None:
    answer = Patience()
    scripted.will("ListModels", answer)
    async with AsyncClient(scripted.target) as client:
        task = asyncio.create_task(client.list_models())
        assert await asyncio.to_thread(answer.begun.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(answer.gone.wait, 10)


@awaited
async def test_closing_ends_what_is_under_way(scripted: Any) -> None:
    answer = Patience()
    scripted.will("ListModels", answer)
    client = AsyncClient(scripted.target)
    task = asyncio.create_task(client.list_models())
    assert await asyncio.to_thread(answer.begun.wait, 10)
    await client.close()
    with pytest.raises(Cancelled):
        await task
    with pytest.raises(ValueError, match="closed"):
        await client.list_models()


@awaited
async def test_whoever_stops_fetching_early_ends_the_stream(scripted: Any) -> None:
    gone = threading.Event()

    def answers(context: grpc.ServicerContext) -> Any:
        context.add_callback(gone.set)
        for item_id in "ab":
            yield messages.FetchResponse(item_id=item_id, state=messages.ITEM_STATE_MISSING)
        gone.wait(10)

    _will_describe(scripted)
    scripted.will("Fetch", answers)
    async with AsyncClient(scripted.target) as client:
        fetched = client.fetch("c", ["a", "b", "c"])
        assert (await anext(fetched)).state is ItemState.MISSING
        await fetched.aclose()
        assert await asyncio.to_thread(gone.wait, 10)


@awaited
async def test_a_server_that_leaves_out_an_item_is_found_out(scripted: Any) -> None:
    _will_describe(scripted)
    scripted.will("Fetch", iter([]))
    async with AsyncClient(scripted.target) as client:
        with pytest.raises(UnreadableAnswer):
            await anext(client.fetch("c", ["a"]))


@awaited
async def test_nobody_listens() -> None:
    async with AsyncClient("127.0.0.1:1", deadlines=Deadlines(quick_s=1)) as client:
        with pytest.raises(Unavailable, match=r"no server answers at 127\.0\.0\.1:1 within 0\.1 s"):
            await client.wait_until_reachable(0.1)
        with pytest.raises((Unavailable, DeadlineExceeded)):
            await client.list_models()


def _will_describe(scripted: Any) -> None:
    """Queue what a client asks before it fetches from collection "c"."""
    made = collection_pb2.Collection(
        uuid="00000000-0000-0000-0000-000000000001",
        name="c",
        kind=collection_pb2.COLLECTION_KIND_CODE,
    )
    limits = messages.Limits(max_message_bytes=2**20, max_batch_items=8)
    scripted.will("GetCollection", messages.GetCollectionResponse(collection=made))
    scripted.will("GetServerInfo", messages.GetServerInfoResponse(limits=limits))
