"""A client finds what it has written at servers that have not seen it by themselves."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import grpc
import numpy as np
import pytest

from cipherlens.base import Kind
from cipherlens.client.async_transport import AsyncTransport
from cipherlens.client.channel import MAX_MESSAGE_BYTES
from cipherlens.client.core import catalog, indexing, items, methods, searching
from cipherlens.client.core.deadlines import Deadlines
from cipherlens.client.core.indexing import ItemHeads
from cipherlens.client.core.question import DEFAULT_OPTIONS
from cipherlens.client.core.session import Session
from cipherlens.client.transport import Transport
from cipherlens.server.app import CipherLensServer
from cipherlens.server.config import ServerConfig
from cipherlens.v1 import retrieval_service_pb2_grpc as stubs

ROWS = np.eye(3, dtype=np.float32)


@pytest.fixture
def targets(tmp_path: Path) -> Iterator[list[str]]:
    """A server, and one that follows it and looks at the database only when it is asked to."""
    config = ServerConfig(data_dir=tmp_path, listen="127.0.0.1:0", device="cpu", follow=True)
    servers, targets = [], []
    for _ in range(2):
        servers.append(CipherLensServer(config))
        targets.append(f"127.0.0.1:{servers[-1].start()}")
    servers[1]._engine.role.stop_following()
    yield targets
    for each in reversed(servers):
        each.stop(0)


def both(leader, follower):
    """Return a stub whose client writes at the one and reads at the other."""
    first, second = (stubs.RetrievalServiceStub(each) for each in (leader, follower))
    return SimpleNamespace(
        **{name: getattr(first, name) for name in ("CreateCollection", "DeleteCollection")},
        **{name: getattr(first, name) for name in ("Index", "Delete", "GetServerInfo")},
        **{name: getattr(second, name) for name in ("Search", "Count")},
    )


def operations():
    """Yield operations, and what each must result in."""
    limits = catalog.KnownLimits(MAX_MESSAGE_BYTES)
    yield catalog.create_collection("v", Kind.VECTOR, dimension=3), None
    for number, name in enumerate("abc"):
        heads = ItemHeads.of([name], [1], None)
        yield indexing.index_rows("v", heads, ROWS[number : number + 1], [b""], limits), None
        yield items.count_items("v", None, 0), number + 1
    found = searching.search_rows("v", ROWS[:1], 3, DEFAULT_OPTIONS, limits, with_items=False)
    yield found, lambda hits: set(hits[0].item_ids) == set("abc")
    yield items.delete_items("v", ["a"], limits, 3), 1
    yield items.count_items("v", None, 0), 2


def check(found, expected):
    assert expected is None or (expected(found) if callable(expected) else found == expected)


def test_what_was_written_at_the_one_is_found_at_the_other(targets):
    with grpc.insecure_channel(targets[0]) as leader, grpc.insecure_channel(targets[1]) as follower:
        transport = Transport(both(leader, follower), Deadlines())
        for operation, expected in operations():
            check(transport.run(operation), expected)


def test_so_it_is_for_a_client_that_does_not_block(targets):
    async def run():
        async with (
            grpc.aio.insecure_channel(targets[0]) as leader,
            grpc.aio.insecure_channel(targets[1]) as follower,
        ):
            transport = AsyncTransport(both(leader, follower), Deadlines())
            for operation, expected in operations():
                check(await transport.run(operation), expected)

    asyncio.run(run())


def test_a_collection_that_is_made_anew_begins_anew():
    session = Session()
    request, answer = SimpleNamespace(collection="v", name="v"), SimpleNamespace(sequence=7)
    session.notice(methods.INDEX, request, answer)
    session.notice(methods.INDEX, request, SimpleNamespace(sequence=5))
    asked = SimpleNamespace(collection="v")
    session.prepare(methods.SEARCH, asked)
    assert asked.seen_sequence == 7
    session.notice(methods.DELETE_COLLECTION, request, None)
    session.notice(methods.INDEX, SimpleNamespace(collection="w"), answer)
    session.prepare(methods.SEARCH, asked)
    assert asked.seen_sequence == 0
