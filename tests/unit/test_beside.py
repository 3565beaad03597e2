"""What runs beside a consumer: it ends with it, and an error of it ends the consumer."""

import asyncio
from typing import Any

from processors.__main__ import beside

TIMEOUT_S = 60


class Failing:
    """As much of a consumer as is told of an error."""

    def __init__(self) -> None:
        self.failure: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

    def fail(self, error: Exception) -> None:
        self.failure.set_result(error)


async def test_an_error_that_nobody_expected_is_the_consumers() -> None:
    consume: Any = Failing()

    async def work() -> None:
        raise ZeroDivisionError

    async with asyncio.timeout(TIMEOUT_S), beside(work, consume):
        assert isinstance(await consume.failure, ZeroDivisionError)


async def test_it_ends_with_the_consumer() -> None:
    consume: Any = Failing()
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with asyncio.timeout(TIMEOUT_S), beside(work, consume):
        await asyncio.sleep(0)
    assert ended.is_set()
    assert not consume.failure.done()
