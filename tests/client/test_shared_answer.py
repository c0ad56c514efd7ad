import asyncio

from cipherlens.client.shared_answer import SharedAnswer
from tests.client.test_async_client import awaited


@awaited
async def test_all_who_wait_share_one_call_and_who_comes_later_asks_anew() -> None:
    asked = 0
    answered = asyncio.Event()

    async def ask() -> int:
        nonlocal asked
        asked += 1
        await answered.wait()
        return asked

    shared = SharedAnswer(ask)
    waiting = [asyncio.create_task(shared.get()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    answered.set()
    assert await asyncio.gather(*waiting[1:]) == [1, 1]
    assert waiting[0].cancelled()
    assert await shared.get() == 2


@awaited
async def test_a_failure_is_shared_and_not_kept() -> None:
    failures = [OSError("once")]

    async def ask() -> str:
        await asyncio.sleep(0)
        if failures:
            raise failures.pop()
        return "well"

    shared = SharedAnswer(ask)
    told = await asyncio.gather(shared.get(), shared.get(), return_exceptions=True)
    assert [str(each) for each in told] == ["once", "once"]
    assert await shared.get() == "well"
