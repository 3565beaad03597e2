"""A reading of how far groups are behind: shared, kept for a while when the next one is slow or fails."""

import asyncio
import time

import pytest

from service.connections import KafkaConnection
from service.kafka import lags as module
from service.kafka.kept import NotTold
from service.kafka.lags import Lag, Lags, Reading

WAIT_S = 10


class Slow(Lags):
    """Reads nothing: `look` says what comes, when the test lets it."""

    def __init__(self) -> None:
        super().__init__(KafkaConnection(bootstrap_servers="127.0.0.1:1"), "events", ["a"])
        self.gate = asyncio.Event()
        self.seen_ms = time.time_ns() // 1_000_000
        self.looked = 0

    async def _connect(self) -> None:
        self._connected_s = time.monotonic()

    async def _look(self) -> Reading:
        self.looked += 1
        await self.gate.wait()
        return Reading(self.seen_ms, [Lag(0, None, 1.0)])


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits, and each reading is at once too old to serve."""
    monkeypatch.setattr(module, "WAIT_S", 0.0)
    monkeypatch.setattr(module, "AGE_S", 0.0)


async def read(lags: Slow) -> None:
    """Let the reading under way end."""
    lags.gate.set()
    assert lags._reading is not None
    await asyncio.wait_for(asyncio.shield(lags._reading), WAIT_S)
    lags.gate.clear()


@pytest.mark.usefixtures("impatient")
async def test_a_reading_slower_than_who_asks_is_told_to_the_next() -> None:
    lags = Slow()
    with pytest.raises(NotTold):
        await lags.now()
    await read(lags)
    assert (await lags.now()).seen_ms == lags.seen_ms
    assert lags.looked == 2  # and the next is under way
    await lags.stop()


@pytest.mark.usefixtures("impatient")
async def test_a_reading_is_told_while_it_is_of_use_and_then_no_more() -> None:
    lags = Slow()
    lags.seen_ms -= round(module.KEPT_S * 1000) - 10_000
    with pytest.raises(NotTold):
        await lags.now()
    await read(lags)
    assert await lags.now()
    lags.seen_ms -= 11_000
    await read(lags)
    with pytest.raises(NotTold):
        await lags.now()
    await lags.stop()
