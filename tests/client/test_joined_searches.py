"""Searches that wait at the same time: what is sent, and what each caller is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import numpy as np
import pytest

from cipherlens.client import (
    AsyncClient,
    Cancelled,
    DeadlineExceeded,
    Hits,
    InvalidArgument,
    SearchOptions,
    UnreadableAnswer,
)
from cipherlens.v1 import retrieval_service_pb2 as messages
from tests.client.refusals import STOPPING, failing
from tests.client.test_async_client import awaited
from tests.client.waits import Held

WRONG = failing(grpc.StatusCode.INVALID_ARGUMENT, "k: too large")


def answer(*names: str) -> messages.SearchResponse:
    """Return an answer in which each query finds one item."""
    hits = [messages.Hits(item_ids=[name], revisions=[1], distances=[0]) for name in names]
    return messages.SearchResponse(results=hits)


def code(number: int) -> np.ndarray[Any, Any]:
    return np.full((1, 3), number, np.uint8)


def sent(scripted: Any) -> list[bytes]:
    """Return the queries of each search that the server got, one byte for each."""
    return [request.codes.data[::3] for request in scripted.calls("Search")]


def search(client: AsyncClient, number: int, **how: Any) -> "asyncio.Task[list[Hits]]":
    return asyncio.create_task(client.search_codes("c", code(number), 1, **how))


def limits(**changes: int) -> messages.GetServerInfoResponse:
    values = {"max_message_bytes": 2**20, "max_queries": 100, "max_item_id_bytes": 64}
    values |= {"max_hits": 10_000, **changes}
    return messages.GetServerInfoResponse(limits=messages.Limits(**values))


@asynccontextmanager
async def two_under_way(scripted: Any) -> AsyncIterator[tuple[AsyncClient, Any]]:
    """Give a client whose searches 0 and 1 are under way, and how to have them answered."""
    first, second = Held(answer("x")), Held(answer("x"))
    scripted.will("Search")
    scripted.answers["Search"].extendleft([first, second])
    async with AsyncClient(scripted.target) as client:
        alone = [search(client, 0), search(client, 1)]
        for each in (first, second):
            assert await asyncio.to_thread(each.begun.wait, 10)

        async def release() -> None:
            first.release()
            second.release()
            for task in alone:
                assert found(await task) == "x"

        yield client, release


def found(hits: list[Hits]) -> str:
    (one,) = hits
    return one.item_ids[0]


@awaited
async def test_what_comes_while_two_are_under_way_goes_together(scripted: Any) -> None:
    scripted.will("GetServerInfo", limits())
    scripted.will("Search", answer(*"cdefg"))
    async with two_under_way(scripted) as (client, release):
        waiting = [search(client, number) for number in range(2, 7)]
        await asyncio.sleep(0)
        assert len(scripted.calls("Search")) == 2
        await release()
        assert [found(each) for each in await asyncio.gather(*waiting)] == list("cdefg")
    assert sent(scripted)[2:] == [bytes([2, 3, 4, 5, 6])]
    assert len(scripted.calls("GetServerInfo")) == 1


@awaited
async def test_who_is_answered_and_asks_again_goes_along(scripted: Any) -> None:
    scripted.will("GetServerInfo", limits())
    scripted.will("Search", answer(*"cde"), answer(*"fgh"))

    async def twice(client: AsyncClient, number: int) -> list[str]:
        return [found(await client.search_codes("c", code(number + n), 1)) for n in (0, 10)]

    async with two_under_way(scripted) as (client, release):
        waiting = [asyncio.create_task(twice(client, number)) for number in (2, 3, 4)]
        await asyncio.sleep(0)
        await release()
        assert await asyncio.gather(*waiting) == [["c", "f"], ["d", "g"], ["e", "h"]]
    assert sent(scripted)[2:] == [bytes([2, 3, 4]), bytes([12, 13, 14])]


@awaited
async def test_they_are_as_many_as_the_server_takes(scripted: Any) -> None:
    scripted.will("GetServerInfo", limits(max_queries=2))
    scripted.will("Search", answer(*"cd"), answer(*"ef"))
    async with two_under_way(scripted) as (client, release):
        waiting = [search(client, number) for number in range(2, 6)]
        await asyncio.sleep(0)
        await release()
        await asyncio.gather(*waiting)
    assert sorted(sent(scripted)[2:]) == [bytes([2, 3]), bytes([4, 5])]


@awaited
async def test_a_server_that_does_not_say_what_it_takes_gets_one_at_a_time(scripted: Any) -> None:
    scripted.will("GetServerInfo", *[WRONG] * 9)
    scripted.will("Search", *[answer("y")] * 3)
    async with two_under_way(scripted) as (client, release):
        waiting = [search(client, number) for number in range(2, 5)]
        await asyncio.sleep(0)
        await release()
        assert {found(each) for each in await asyncio.gather(*waiting)} == {"y"}
    assert sorted(sent(scripted)[2:]) == [bytes([2]), bytes([3]), bytes([4])]


@awaited
async def test_only_what_asks_the_same_goes_together(scripted: Any) -> None:
    scripted.will("Search", *[answer("y")] * 3)
    async with two_under_way(scripted) as (client, release):
        others = asyncio.gather(
            client.search_codes("c", code(2), 2),
            client.search_codes("d", code(3), 1),
            client.search_codes("c", code(4), 1, options=SearchOptions(exact=True)),
        )
        await asyncio.sleep(0)
        await release()
        await others
    assert sorted(sent(scripted)[2:]) == [bytes([2]), bytes([3]), bytes([4])]
    assert not scripted.calls("GetServerInfo")


@awaited
async def test_searches_go_by_themselves_where_that_is_wanted(scripted: Any) -> None:
    scripted.will("Search", *[answer("x")] * 5)
    async with AsyncClient(scripted.target, join_searches=False) as client:
        await asyncio.gather(*(search(client, number) for number in range(5)))
    assert sorted(sent(scripted)) == [bytes([number]) for number in range(5)]


@awaited
async def test_each_is_told_what_is_wrong_with_his_own(scripted: Any) -> None:
    scripted.will("GetServerInfo", limits())
    scripted.will("Search", WRONG, WRONG, answer("y"))
    async with two_under_way(scripted) as (client, release):
        waiting = [search(client, 2), search(client, 3)]
        await asyncio.sleep(0)
        await release()
        told = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(each) for each in told} == {InvalidArgument, list}
    joined, *alone = sent(scripted)[2:]
    assert (joined, sorted(alone)) == (bytes([2, 3]), [bytes([2]), bytes([3])])


@awaited
async def test_answers_to_another_number_of_queries_are_not_shared_out(scripted: Any) -> None:
    scripted.will("GetServerInfo", limits())
    scripted.will("Search", answer("c"), answer("y"), answer("y"))
    async with two_under_way(scripted) as (client, release):
        waiting = [search(client, 2), search(client, 3)]
        await asyncio.sleep(0)
        await release()
        assert {found(each) for each in await asyncio.gather(*waiting)} == {"y"}
    scripted.will("Search", answer("c", "d"))
    async with AsyncClient(scripted.target) as client:
        with pytest.raises(UnreadableAnswer, match="2 queries where 1 were asked"):
            await search(client, 0)


@awaited
async def test_a_caller_who_is_cancelled_is_left_out_and_nobody_else(scripted: Any) -> None:
    scripted.will("GetServerInfo", limits())
    held = Held(answer("c", "d"))
    scripted.will("Search", held)
    async with two_under_way(scripted) as (client, release):
        waiting = [search(client, number) for number in range(2, 5)]
        await asyncio.sleep(0)
        waiting[2].cancel()  # before it is sent
        await release()
        assert await asyncio.to_thread(held.begun.wait, 10)
        waiting[0].cancel()  # while it is under way
        await asyncio.sleep(0)
        held.release()
        assert found(await waiting[1]) == "d"
        assert [each.cancelled() for each in waiting] == [True, False, True]
    assert sent(scripted)[2:] == [bytes([2, 3])]


@awaited
async def test_what_nobody_waits_for_any_more_is_cancelled(scripted: Any) -> None:
    scripted.will("GetServerInfo", limits())
    held = Held(answer("c", "d"))
    scripted.will("Search", held, answer("y"))
    async with two_under_way(scripted) as (client, release):
        waiting = [search(client, 2), search(client, 3)]
        await asyncio.sleep(0)
        await release()
        assert await asyncio.to_thread(held.begun.wait, 10)
        for each in waiting:
            each.cancel()
        assert await asyncio.to_thread(held.gone.wait, 10)
        assert found(await search(client, 4)) == "y"


@awaited
async def test_each_has_his_own_deadline_and_the_request_the_latest(scripted: Any) -> None:
    scripted.will("GetServerInfo", limits())
    held = Held(answer("c", "d", "e"))
    scripted.will("Search", held)
    async with two_under_way(scripted) as (client, release):
        waiting = [search(client, 2, timeout_s=50)]
        waiting += [search(client, number, timeout_s=0.5) for number in (3, 4)]
        await asyncio.sleep(0)
        await release()
        assert await asyncio.to_thread(held.begun.wait, 10)
        assert 5 < held.left_s <= 50
        for each in waiting[1:]:
            with pytest.raises(DeadlineExceeded, match="did not come in time"):
                await each
        held.release()
        assert found(await waiting[0]) == "c"


@awaited
async def test_a_deadline_also_ends_the_wait_to_be_sent(scripted: Any) -> None:
    async with two_under_way(scripted) as (client, release):
        with pytest.raises(DeadlineExceeded):
            await search(client, 2, timeout_s=0.05)
        with pytest.raises(ValueError, match="timeout_s must be above 0, got 0"):
            await search(client, 2, timeout_s=0)
        await release()
    assert len(scripted.calls("Search")) == 2


@awaited
async def test_closing_ends_all_that_wait(scripted: Any) -> None:
    scripted.will("GetServerInfo", limits())
    held = [Held(answer("x")), Held(answer("x"))]
    scripted.will("Search", *held)
    client = AsyncClient(scripted.target)
    tasks = [search(client, number) for number in range(4)]
    for each in held:
        assert await asyncio.to_thread(each.begun.wait, 10)
    await client.close()
    told = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(each) for each in told[:2]} == {Cancelled}
    assert {type(each) for each in told[2:]} <= {Cancelled, ValueError}


@awaited
async def test_a_server_that_has_gone_is_not_asked_by_each(scripted: Any) -> None:
    scripted.will("GetServerInfo", limits())
    scripted.will("Search", *[STOPPING] * 99)
    async with two_under_way(scripted) as (client, release):
        waiting = [search(client, number) for number in range(2, 6)]
        await asyncio.sleep(0)
        await release()
        told = await asyncio.gather(*waiting, return_exceptions=True)
    assert {str(each) for each in told} == {"the server is shutting down"}
    assert len({id(each) for each in told}) == 4  # nobody shares a traceback
    assert set(sent(scripted)[2:]) == {bytes([2, 3, 4, 5])}


@awaited
async def test_questions_of_the_past_are_forgotten(scripted: Any) -> None:
    scripted.will("Search", *[answer("x")] * 200)
    async with AsyncClient(scripted.target) as client:
        for k in range(1, 201):
            await client.search_codes("c", code(0), k)
        assert len(client._joined._lanes) <= 65


@awaited
async def test_together_they_find_what_each_finds_alone(target: str) -> None:
    codes = np.random.default_rng(0).integers(0, 256, (300, 3), dtype=np.uint8)
    vectors = np.random.default_rng(1).normal(size=(300, 8))
    async with AsyncClient(target) as client, AsyncClient(target, join_searches=False) as other:
        await client.create_code_collection("jc", 24)
        await client.create_vector_collection("jv", 8)
        ids = [f"i{number}" for number in range(300)]
        await client.index_codes("jc", ids, codes)
        await client.index_vectors("jv", ids, vectors)
        for k in (1, 7):
            found_codes, alone_codes, found_vectors, alone_vectors = [
                await asyncio.gather(
                    *(getattr(who, f"search_{kind}")(name, rows[n : n + 1], k) for n in range(100))
                )
                for name, kind, rows in (("jc", "codes", codes), ("jv", "vectors", vectors))
                for who in (client, other)
            ]
            assert [_told(each) for each in found_codes] == [_told(each) for each in alone_codes]
            ids_of = [[hits.item_ids for hits in each] for each in found_vectors]
            assert ids_of == [[hits.item_ids for hits in each] for each in alone_vectors]


def _told(hits: list[Hits]) -> list[Any]:
    return [(each.item_ids, each.distances, each.revisions, each.sequence) for each in hits]
