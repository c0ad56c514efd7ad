"""Our Python clients under load, and beside them the stubs that gRPC makes of the protocol.

Ids and scores of every answer are read, as a row of a database is.
"""

import asyncio
import sys
from collections.abc import Awaitable, Sequence
from typing import Any, cast

import grpc
import numpy as np

from benchmarks.clients.measures import (
    Ask,
    AskLater,
    Measure,
    Run,
    alone,
    awaited_alone,
    from_tasks,
    from_threads,
    measure_as_told,
)
from benchmarks.load.workload import CODES, K
from cipherlens.client import AsyncClient, Client, Hits
from cipherlens.v1 import retrieval_service_pb2 as pb
from cipherlens.v1.retrieval_service_pb2_grpc import RetrievalServiceStub
from cipherlens.wire import codes_message, vectors_message

_LIMIT_S = 60.0  # what the clients give a search


def main() -> None:
    """Take address, kind and file of queries, and measure as told."""
    target, kind, path = sys.argv[1:]
    queries = np.load(path)
    rows = [queries[number : number + 1] for number in range(len(queries))]
    with asyncio.Runner() as runner:
        clients = _opened(target)
        measure_as_told(_blocking(target, kind, rows) | _awaiting(runner, clients, kind, rows))
        for each in clients:
            runner.run(each.close())


def _opened(target: str) -> list[AsyncClient]:
    """Return a client that joins searches, and one that does not."""
    return [AsyncClient(target), AsyncClient(target, join_searches=False)]


def _blocking(target: str, kind: str, rows: Sequence[Any]) -> dict[str, Measure]:
    client = Client(target)
    search = client.search_codes if kind == CODES else client.search_vectors
    stub = RetrievalServiceStub(grpc.insecure_channel(target)).Search
    requests = _requests(kind, rows)

    def ask(number: int) -> object:
        return _read(search(kind, rows[number % len(rows)], K))

    def ask_stub(number: int) -> object:
        return stub(requests[number % len(rows)], timeout=_LIMIT_S)

    asks: dict[str, Ask] = {"Client": ask, "gRPC's stub": ask_stub}
    found = {f"{name}: alone": alone(each) for name, each in asks.items()}
    return found | {"Client, threads: 8": from_threads([ask] * 8)}


def _awaiting(
    runner: "asyncio.Runner", clients: Sequence[AsyncClient], kind: str, rows: Sequence[Any]
) -> dict[str, Measure]:
    async def stubbed() -> AskLater:
        target = clients[0].target
        stub = RetrievalServiceStub(grpc.aio.insecure_channel(target)).Search
        requests = _requests(kind, rows)

        def ask(number: int) -> Awaitable[object]:
            # of a channel of grpc.aio, which the stub's type does not say
            return cast("Awaitable[object]", stub(requests[number % len(rows)], timeout=_LIMIT_S))

        return ask

    asks = {
        "AsyncClient": _asking(clients[0], kind, rows),
        "AsyncClient, join_searches=False": _asking(clients[1], kind, rows),
        "gRPC's stub, awaited": runner.run(stubbed()),
    }
    run: Run = runner.run
    found = {f"{name}: alone": awaited_alone(ask, run) for name, ask in asks.items()}
    for many in (8, 32):
        found |= {f"{name}: {many}": from_tasks(ask, many, run) for name, ask in asks.items()}
    return found


def _asking(client: AsyncClient, kind: str, rows: Sequence[Any]) -> AskLater:
    search = client.search_codes if kind == CODES else client.search_vectors

    async def ask(number: int) -> object:
        return _read(await search(kind, rows[number % len(rows)], K))

    return ask


def _read(hits: Sequence[Hits]) -> object:
    return hits[0].item_ids, hits[0].distances, hits[0].similarities


def _requests(kind: str, rows: Sequence[Any]) -> list[pb.SearchRequest]:
    if kind == CODES:
        return [pb.SearchRequest(collection=kind, k=K, codes=codes_message(row)) for row in rows]
    return [pb.SearchRequest(collection=kind, k=K, vectors=vectors_message(row)) for row in rows]


if __name__ == "__main__":
    main()
