"""confluent-kafka's producer (librdkafka) behind asyncio, to measure ours against it.

It is no dependency of ours: it lies in the load test's environment, `make .venv-load/.installed`.
"""

import asyncio
import sys
import threading
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from contracts.topics import EVENTS
from service.connections import KafkaConnection

LOAD = Path(__file__).parent.parent / ".venv-load"
POLL_S, TIMER_S, CLOSE_S = 0.1, 0.001, 30.0


def load() -> Any:
    """The module. Raises `SystemExit`, which says how to install it."""
    sys.path += [str(each) for each in LOAD.glob("lib/python3.*/site-packages")]  # after our own
    try:
        import confluent_kafka
    except ImportError:
        raise SystemExit("confluent-kafka is not installed: make .venv-load/.installed") from None
    return confluent_kafka


class Confluent:
    """A `Producer` whose delivery reports become futures of the loop.

    They come on the thread that polls: on one of its own, or, by a timer, on the loop's.
    """

    def __init__(self, connection: KafkaConnection, linger_ms: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._producer = load().Producer(
            {
                "bootstrap.servers": connection.bootstrap_servers,
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": linger_ms,
                "compression.type": connection.compression,
                "socket.nagle.disable": True,
                "partitioner": "consistent",  # CRC-32 of the key, as ours
            }
        )
        self._reports: deque[tuple[asyncio.Future[None], Any]] = deque()
        self._stopping = False

    def append(
        self, key: bytes, value: bytes, headers: list[tuple[str, bytes]]
    ) -> asyncio.Future[None]:
        """A future that is done when all in-sync replicas have the record."""
        future: asyncio.Future[None] = self._loop.create_future()
        self._producer.produce(
            EVENTS, value, key, headers=headers, on_delivery=partial(self._deliver, future)
        )
        return future

    def _deliver(self, future: asyncio.Future[None], error: Any, _: Any) -> None:
        self._reports.append((future, error))
        if len(self._reports) == 1:  # else it is called already
            self._loop.call_soon_threadsafe(self._report)

    def _report(self) -> None:
        while self._reports:
            future, error = self._reports.popleft()
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(RuntimeError(str(error)))

    def poll(self) -> None:
        """Until `close`, on a thread of its own."""
        while not self._stopping:
            self._producer.poll(POLL_S)

    def tick(self) -> None:
        """Until `close`, on the loop."""
        self._producer.poll(0)
        self._report()
        if not self._stopping:
            self._loop.call_later(TIMER_S, self.tick)

    def close(self) -> None:
        """Nothing may be under way."""
        self._stopping = True
        if left := self._producer.flush(CLOSE_S):
            raise RuntimeError(f"{left} records were not acknowledged")


@asynccontextmanager
async def polled(
    connection: KafkaConnection, linger_ms: float, *, thread: bool
) -> AsyncIterator[Confluent]:
    """A producer, polled by a thread or by a timer."""
    producer = Confluent(connection, linger_ms)
    poller = threading.Thread(target=producer.poll) if thread else None
    if poller is None:
        producer.tick()
    else:
        poller.start()
    try:
        yield producer
    finally:
        producer.close()
        if poller is not None:
            await asyncio.to_thread(poller.join)
