"""A shell that awaits, over the same core as the one that blocks."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import numpy as np

from cipherlens.base import Kind
from cipherlens.client import Collection, Deadlines, Fetched, Hits, IndexResult, SearchOptions
from cipherlens.client.channel import channel_options, from_rpc_error
from cipherlens.client.core import catalog, indexing, items, searching
from cipherlens.client.core.call import Call, Operation
from cipherlens.client.core.content import vector_rows
from cipherlens.client.core.retry import pause_s
from cipherlens.client.errors import CipherLensError
from cipherlens.v1.retrieval_service_pb2_grpc import RetrievalServiceStub


class AsyncClient:
    def __init__(self, target: str) -> None:
        self._channel = grpc.aio.insecure_channel(target, options=channel_options())
        self._stub = RetrievalServiceStub(self._channel)
        self._deadlines = Deadlines()

    async def run(self, operation: Operation[Any]) -> Any:
        steps, found = iter(operation), None
        while True:
            try:
                step = steps.send(found)
            except StopIteration as end:
                return end.value
            if isinstance(step, items.ItemStream):
                found = [each async for each in self.stream(step)]
            else:
                found = step.read(await self._answer(step))

    async def stream(self, stream: items.ItemStream) -> AsyncIterator[Fetched]:
        send = getattr(self._stub, stream.method.name)
        count = 0
        try:
            answers = send(stream.request, timeout=self._deadlines.of(stream.method.work, None))
            async for answer in answers:
                yield stream.read(count, answer)
                count += 1
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error
        stream.check_end(count)

    async def _answer(self, call: Call[Any], attempt: int = 0) -> Any:
        send = getattr(self._stub, call.method.name)
        begun, seconds = time.monotonic(), self._deadlines.of(call.method.work, None)
        try:
            return await send(call.request, timeout=seconds)
        except grpc.RpcError as error:
            failure: CipherLensError = from_rpc_error(error)
            left_s = begun + seconds - time.monotonic()
            pause = pause_s(failure, attempt, left_s, random.uniform(0.75, 1.25))
            if pause is None:
                raise failure from error
        await asyncio.sleep(pause)
        return await self._answer(call, attempt + 1)

    async def close(self) -> None:
        await self._channel.close()


async def session(target: str, rows: np.ndarray, ids: list[str]) -> dict[str, Any]:
    client = AsyncClient(target)
    made: Collection = await client.run(
        catalog.create_collection("awaited", Kind.VECTOR, dimension=rows.shape[1])
    )
    limits = catalog.KnownLimits(2**25)
    heads = indexing.ItemHeads.of(ids, None, None)
    written: IndexResult = await client.run(
        indexing.index_rows("awaited", heads, rows, [b""] * len(ids), limits)
    )
    exact = SearchOptions(exact=True, min_sequence=written.sequence)
    hits: list[Hits] = await client.run(
        searching.search_rows("awaited", rows[:3], 4, exact, limits, with_items=True)
    )
    fetched = [
        each
        for stream in items.fetch_streams(made, [ids[5], "nobody"], await client.run(iter(limits)))
        async for each in client.stream(stream)
    ]
    refused = await _refusal(client)
    await client.close()
    return {"written": written, "hits": hits, "fetched": fetched, "refused": refused}


async def _refusal(client: AsyncClient) -> CipherLensError | None:
    try:
        await client.run(catalog.get_collection("nothing"))
    except CipherLensError as error:
        return error
    return None


def _lines(kind: type) -> int:
    import inspect

    return len(inspect.getsource(kind).splitlines())


def test_the_core_under_a_shell_that_awaits(target: str) -> None:
    rows = vector_rows(np.random.default_rng(1).normal(size=(2500, 8)))
    ids = [f"v{number}" for number in range(len(rows))]
    found = asyncio.run(session(target, rows, ids))
    assert found["written"].written_count == 2500  # in three batches
    for query, hits in enumerate(found["hits"]):
        assert len(hits) == 4
        assert hits[0].item_id == ids[query]
        assert all(hit.item is not None for hit in hits)
    assert [(each.item_id, each.state) for each in found["fetched"]] == [
        (ids[5], "present"),
        ("nobody", "missing"),
    ]
    assert type(found["refused"]).__name__ == "NotFound"


def test_such_a_shell_is_small() -> None:
    assert _lines(AsyncClient) < 60
