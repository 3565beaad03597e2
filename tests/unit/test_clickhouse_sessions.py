"""The sessions of the local ClickHouse endpoint: when they end, and how many there may be."""

import asyncio
from typing import cast

import pytest

from local.clickhouse.connection import Connection
from local.clickhouse.errors import QueryFailed
from local.clickhouse.sessions import SESSIONS_MAX, Asked, Sessions

DEADLINE_S = 60.0


class FakeConnection:
    """Tells when it is closed."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self.closed.set)


def sessions(at_once: int = 8) -> Sessions:
    return Sessions(lambda: cast(Connection, FakeConnection()), at_once)


async def used(kept: Sessions, asked: Asked, keeps: bool = False) -> FakeConnection:
    async with kept.held(asked, DEADLINE_S) as session:
        session.keeps |= keeps
        return cast(FakeConnection, session.connection)


async def test_a_session_ends_when_its_time_is_over_and_not_while_it_is_held() -> None:
    kept = sessions()
    asked = Asked("me", "a", timeout_s=0)
    async with kept.held(asked, DEADLINE_S) as session:
        connection = cast(FakeConnection, session.connection)
        for _ in range(10):
            await asyncio.sleep(0)
        assert not connection.closed.is_set()
    await asyncio.wait_for(connection.closed.wait(), DEADLINE_S)
    with pytest.raises(QueryFailed) as raised:
        await used(kept, Asked("me", "a", must_exist=True))
    assert raised.value.code == 372


async def test_another_request_puts_the_end_off() -> None:
    kept = sessions()
    first = await used(kept, Asked("me", "a", timeout_s=0))
    async with kept.held(Asked("me", "a", timeout_s=3600), DEADLINE_S):
        pass  # before the loop came to end it
    for _ in range(10):
        await asyncio.sleep(0)
    assert not first.closed.is_set()
    assert await used(kept, Asked("me", "a", must_exist=True)) is first


async def test_one_that_keeps_nothing_gives_way_and_one_that_does_stays() -> None:
    kept = sessions()
    keeping = await used(kept, Asked("me", "keeping"), keeps=True)
    blank = [await used(kept, Asked("me", str(n))) for n in range(SESSIONS_MAX)]
    await asyncio.wait_for(blank[0].closed.wait(), DEADLINE_S)
    assert await used(kept, Asked("me", "keeping", must_exist=True)) is keeping
    assert await used(kept, Asked("me", str(SESSIONS_MAX - 1), must_exist=True)) is blank[-1]


async def test_more_that_keep_something_are_refused_and_say_why() -> None:
    kept = sessions()
    for n in range(SESSIONS_MAX):
        await used(kept, Asked("me", str(n)), keeps=True)
    with pytest.raises(QueryFailed, match="256 sessions hold settings") as raised:
        await used(kept, Asked("me", "one more"))
    assert raised.value.code == 202
    await used(kept, Asked("me", "0", ends=True, must_exist=True))
    for _ in range(10):
        await asyncio.sleep(0)
    await used(kept, Asked("me", "one more"))


async def test_a_request_that_waited_for_its_turn_in_vain_leaves_its_session_free() -> None:
    kept = sessions(at_once=1)
    async with kept.held(Asked("me", "a"), DEADLINE_S):
        with pytest.raises(TimeoutError):
            async with kept.held(Asked("me", "b"), 0.01):
                pass
    await used(kept, Asked("me", "b", must_exist=True))
