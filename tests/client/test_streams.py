"""Streams of items, and of a model: broken, busy, slow."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from cipherlens.client import AsyncClient, Client, ResourceExhausted, Unavailable
from cipherlens.v1 import collection_pb2, item_pb2
from cipherlens.v1 import retrieval_service_pb2 as messages
from tests.client.refusals import BUSY, STOPPING

IDS = [f"i{number}" for number in range(5)]


def fetched_by_client(target: str) -> list[str]:
    with Client(target) as client:
        return [each.item_id for each in client.fetch("c", IDS)]


def fetched_by_async_client(target: str) -> list[str]:
    async def fetched() -> list[str]:
        async with AsyncClient(target) as client:
            return [each.item_id async for each in client.fetch("c", IDS)]

    return asyncio.run(fetched())


Fetched = Callable[[str], list[str]]
both = pytest.mark.parametrize("fetched", [fetched_by_client, fetched_by_async_client])


def stream(*ids: str, ends: Callable[[grpc.ServicerContext], Any] = lambda _context: None) -> Any:
    """Return an answer that sends items and then ends."""

    def answer(context: grpc.ServicerContext) -> Iterator[messages.FetchResponse]:
        for item_id in ids:
            item = item_pb2.StoredItem(item_id=item_id, code=b"\0")
            state = messages.ITEM_STATE_PRESENT
            yield messages.FetchResponse(item_id=item_id, state=state, item=item)
        ends(context)

    return answer


@pytest.fixture
def cloud(scripted):
    collection = collection_pb2.Collection(
        uuid="0dcaf76d-cf95-4529-8ff8-7bc34bf8d528",
        name="c",
        kind=collection_pb2.COLLECTION_KIND_CODE,
        bits=24,
    )
    limits = messages.Limits(max_message_bytes=2**25, max_batch_items=1024)
    scripted.will("GetCollection", messages.GetCollectionResponse(collection=collection))
    scripted.will("GetServerInfo", messages.GetServerInfoResponse(limits=limits))
    return scripted


@both
def test_a_stream_that_breaks_goes_on_with_what_is_left(cloud, fetched: Fetched) -> None:
    late = lambda context: context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "too late")  # noqa: E731
    cloud.will("Fetch", stream("i0", "i1", ends=STOPPING), stream("i2", ends=late))
    cloud.will("Fetch", stream("i3", "i4"))
    assert fetched(cloud.target) == IDS
    assert [list(each.item_ids) for each in cloud.calls("Fetch")] == [IDS, IDS[2:], IDS[3:]]


@both
def test_a_busy_server_is_asked_again_for_a_stream(cloud, fetched: Fetched) -> None:
    cloud.will("Fetch", BUSY, stream("i0", ends=BUSY), stream("i1", "i2", "i3", "i4"))
    assert fetched(cloud.target) == IDS
    assert len(cloud.calls("Fetch")) == 3


@both
def test_a_stream_that_brings_nothing_more_is_given_up(cloud, fetched: Fetched) -> None:
    cloud.will("Fetch", stream("i0", ends=STOPPING), *[STOPPING] * 9)
    with pytest.raises(Unavailable):
        fetched(cloud.target)


@both
def test_a_stream_of_a_server_that_stays_busy_is_given_up(cloud, fetched: Fetched) -> None:
    cloud.will("Fetch", *[BUSY] * 9)
    with pytest.raises(ResourceExhausted):
        fetched(cloud.target)
    assert len(cloud.calls("Fetch")) == 5


class Received:
    """Takes what is pushed; refuses the first time."""

    def __init__(self) -> None:
        self.parts: list[list[messages.PushModelRequest]] = []

    def answer(self, requests: Iterator[Any], context: grpc.ServicerContext) -> Any:
        self.parts.append(list(requests))
        if len(self.parts) == 1:
            BUSY(context)
        return messages.PushModelResponse(model=messages.Model(name="m"))


@pytest.mark.parametrize("awaited", [False, True])
def test_a_model_is_sent_again_to_a_busy_server(scripted, tmp_path: Path, awaited: bool) -> None:
    received = Received()
    scripted.will_take("PushModel", received.answer)
    path = tmp_path / "m.safetensors"
    path.write_bytes(b"x" * (2**20 + 1))

    async def push() -> Any:
        async with AsyncClient(scripted.target) as client:
            return await client.push_model(path)

    if awaited:
        model = asyncio.run(push())
    else:
        with Client(scripted.target) as client:
            model = client.push_model(path)
    assert model.name == "m"
    first, second = received.parts
    assert first == second
    assert [len(each.chunk) for each in second] == [0, 2**20, 1]
