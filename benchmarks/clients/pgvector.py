"""pgvector's Python clients under load, and the server behind them.

Runs in the environment that has them. Statements are prepared, parameters and rows are binary, and
codes are given as what the libraries send, so that they need not be made in the call.
"""

import asyncio
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import numpy as np
import psycopg
from pgvector import Bit
from pgvector.asyncpg import register_vector as register_asyncpg
from pgvector.psycopg import register_vector, register_vector_async
from psycopg_pool import AsyncConnectionPool

from benchmarks.clients.measures import (
    AskLater,
    Measure,
    alone,
    awaited_alone,
    from_tasks,
    from_threads,
    measure_as_told,
)
from benchmarks.peers.peer import CODES, K
from benchmarks.peers.pgvector import Pgvector

CONNECTIONS = (4, 8)
"""Of a pool: more of them were slower on two cores, also where 32 calls are in flight."""
IN_FLIGHT = (8, 32)
_OPERATOR = {CODES: "<~>"}


def main() -> None:
    """Take a folder, kind, and files of rows and queries, and measure as told."""
    folder, kind, rows, asked = Path(sys.argv[1]), *sys.argv[2:]
    queries = np.load(asked)
    server = Pgvector()
    facts = server.setup(folder)
    try:
        server.fill(kind, np.load(rows))
        facts["index"] = server.build(kind, "hnsw")
        with asyncio.Runner() as runner:
            stack = AsyncExitStack()
            ways = _threads(server.url, kind, queries)
            ways |= runner.run(_pools(server.url, kind, queries, runner, stack))
            measure_as_told(ways, facts)
            runner.run(stack.aclose())
    finally:
        server.close()


def _threads(url: str, kind: str, queries: np.ndarray[Any, Any]) -> dict[str, Measure]:
    """Return the measures of psycopg where calls block, with a connection for each thread."""
    values = [_bit(each) for each in queries] if kind == CODES else list(queries)
    asks = [_cursor(url, _nearest(kind, "%b", "%b"), values) for _ in range(max(IN_FLIGHT))]
    found = {f"psycopg, threads: {many}": from_threads(asks[:many]) for many in IN_FLIGHT}
    return {
        "psycopg, threads: alone": alone(asks[0]),
        **found,
        "found": lambda _: [[row for row, _ in asks[0](each)] for each in range(len(queries))],
    }


def _cursor(url: str, statement: str, values: Sequence[Any]) -> Callable[[int], Any]:
    connection = psycopg.connect(url, autocommit=True, prepare_threshold=0)
    register_vector(connection)
    cursor = connection.cursor(binary=True)
    return lambda number: cursor.execute(statement, (values[number % len(values)], K)).fetchall()


async def _pools(
    url: str,
    kind: str,
    queries: np.ndarray[Any, Any],
    runner: "asyncio.Runner",
    stack: AsyncExitStack,
) -> dict[str, Measure]:
    """Return the measures of what is awaited, with pools of several sizes."""
    found: dict[str, Measure] = {}
    for size in (1, *CONNECTIONS):
        for name, opened in (("asyncpg", _asyncpg), ("psycopg, async", _psycopg)):
            ask = await opened(url, kind, queries, size, stack)
            if size == 1:
                found[f"{name}: alone"] = awaited_alone(ask, runner.run)
            else:
                pooled = f"{name}, {size} connections"
                found |= {f"{pooled}: {n}": from_tasks(ask, n, runner.run) for n in IN_FLIGHT}
    return found


async def _asyncpg(
    url: str, kind: str, queries: np.ndarray[Any, Any], size: int, stack: AsyncExitStack
) -> AskLater:
    pool = await stack.enter_async_context(
        asyncpg.create_pool(url, min_size=size, max_size=size, init=register_asyncpg)
    )
    values = [_bit_string(each) for each in queries] if kind == CODES else list(queries)
    statement = _nearest(kind, "$1", "$2")
    return lambda number: pool.fetch(statement, values[number % len(values)], K)


async def _psycopg(
    url: str, kind: str, queries: np.ndarray[Any, Any], size: int, stack: AsyncExitStack
) -> AskLater:
    pool = AsyncConnectionPool(
        url,
        min_size=size,
        max_size=size,
        open=False,
        configure=register_vector_async,
        kwargs={"autocommit": True, "prepare_threshold": 0},
    )
    await stack.enter_async_context(pool)
    await pool.wait()
    values = [_bit(each) for each in queries] if kind == CODES else list(queries)
    return partial(_fetched, pool, _nearest(kind, "%b", "%b"), values)


async def _fetched(
    pool: "AsyncConnectionPool[Any]", statement: str, values: Sequence[Any], number: int
) -> object:
    async with pool.connection() as connection, connection.cursor(binary=True) as cursor:
        await cursor.execute(statement, (values[number % len(values)], K))
        return await cursor.fetchall()


def _nearest(kind: str, query: str, k: str) -> str:
    distance = f"row {_OPERATOR.get(kind, '<=>')} {query}"
    return f"select id, {distance} as distance from items order by distance limit {k}"  # noqa: S608


def _bit(row: np.ndarray[Any, Any]) -> Bit:
    return Bit(np.unpackbits(row, bitorder="little").astype(bool))


def _bit_string(row: np.ndarray[Any, Any]) -> "asyncpg.BitString":
    return asyncpg.BitString("".join(map(str, np.unpackbits(row, bitorder="little"))))


if __name__ == "__main__":
    main()
