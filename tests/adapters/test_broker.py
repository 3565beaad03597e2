"""One connection to the real broker, over TLS and over lines that break."""

import asyncio
import contextlib
import random
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import (
    CorrelationIdError,
    IncompatibleBrokerVersion,
    KafkaConnectionError,
    RequestTimedOutError,
)

from bench.certificate import a_certificate
from contracts.encoding.recordbatch import encode_batch, new_record
from service.connections import KafkaConnection
from service.kafka import broker
from service.kafka.broker import BrokerConnection
from service.kafka.eventlog import EventLog
from service.kafka.first_ids import FirstIds
from service.kafka.partition import QueueLimits, Unacknowledged
from service.kafka.produce import Ack, Batches
from service.kafka.producer import Producer
from tests.stack import Stack
from tests.topics import a_topic

HOST = "127.0.0.1"
TIMEOUT_MS = 5000
WITHIN_S = 20


@pytest.fixture
def kafka(stack: Stack) -> KafkaConnection:
    return KafkaConnection(bootstrap_servers=stack.status["kafka"])


@pytest.fixture
async def topic(kafka: KafkaConnection) -> AsyncIterator[str]:
    """An empty topic of one partition."""
    async with a_topic(kafka, 1) as name:
        yield name


class Line:
    """A TCP line to the broker; `change` makes of what the broker says the pieces that arrive.

    None among them cuts the line.
    """

    def __init__(self, kafka: KafkaConnection) -> None:
        host, port = kafka.bootstrap_servers.split(":")
        self._broker = host, int(port)
        self.port = 0
        self._tasks: list[asyncio.Task[None]] = []
        self.change: Callable[[bytes], list[bytes | None]] = lambda data: [data]

    @contextlib.asynccontextmanager
    async def listening(self, tls: ssl.SSLContext | None = None) -> AsyncIterator["Line"]:
        server = await asyncio.start_server(self._serve, HOST, 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (task := asyncio.current_task()) is not None:
            self._tasks.append(task)
        from_broker, to_broker = await asyncio.open_connection(*self._broker)
        requests = asyncio.create_task(self._pass_requests(reader, to_broker))
        try:
            while data := await from_broker.read(1 << 16):
                for piece in self.change(data):
                    if piece is None:
                        writer.transport.abort()
                        return
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
        except (OSError, asyncio.CancelledError):
            return  # the other end has gone, or the test is over
        finally:
            requests.cancel()
            for each in (writer, to_broker):
                each.close()
                with contextlib.suppress(OSError, ssl.SSLError):
                    await each.wait_closed()

    async def _pass_requests(
        self, reader: asyncio.StreamReader, to_broker: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                to_broker.write(data)
        to_broker.close()


def arguments(kafka: KafkaConnection) -> dict[str, Any]:
    found = kafka.client_args()
    del found["bootstrap_servers"]
    return found


@contextlib.asynccontextmanager
async def opened(line: Line, kafka: KafkaConnection) -> AsyncIterator[BrokerConnection]:
    connection = await BrokerConnection.open(HOST, line.port, arguments(kafka))
    try:
        yield connection
    finally:
        connection.close()
        await asyncio.wait_for(connection.closed, WITHIN_S)
        assert not connection.usable


def batches(topic: str, count: int = 3) -> Batches:
    records = [new_record(b"k", b"v", b"\0", 1_790_000_000_000) for _ in range(count)]
    return {topic: [(0, encode_batch(records, -1, -1, -1))]}


async def test_requests_are_answered_in_order_even_in_pieces(
    kafka: KafkaConnection, topic: str
) -> None:
    async with Line(kafka).listening() as line, opened(line, kafka) as connection:
        line.change = lambda data: [data[at : at + 1] for at in range(len(data))]
        answers = [connection.produce(batches(topic), TIMEOUT_MS) for _ in range(5)]
        found = await asyncio.wait_for(asyncio.gather(*answers), WITHIN_S)
    assert found == [{(topic, 0): Ack(0, 3 * number)} for number in range(5)]


async def test_over_tls(kafka: KafkaConnection, topic: str, tmp_path: Path) -> None:
    certificate = a_certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    secure = KafkaConnection(security_protocol="SSL", ca_file=str(certificate))
    async with Line(kafka).listening(tls) as line, opened(line, secure) as connection:
        answer = await asyncio.wait_for(connection.produce(batches(topic), TIMEOUT_MS), WITHIN_S)
    assert answer == {(topic, 0): Ack(0, 0)}


@pytest.mark.parametrize(
    ("made", "error"),
    [
        ([], RequestTimedOutError),
        ([None], KafkaConnectionError),
        (
            [bytes(3), b"\x0c" + bytes(12)],
            CorrelationIdError,
        ),  # no answer to anything that was asked
        ([b"\xff\xff\xff\xfc" * 4], KafkaConnectionError),  # a length below zero
    ],
    ids=["silence", "cut", "another", "nonsense"],
)
async def test_without_an_answer_the_connection_ends(
    kafka: KafkaConnection, topic: str, made: list[bytes | None], error: type[Exception]
) -> None:
    hasty = kafka.model_copy(update={"request_timeout_s": 3.0})
    async with Line(kafka).listening() as line, opened(line, hasty) as connection:
        line.change = lambda data: made
        answers = [connection.produce(batches(topic), TIMEOUT_MS) for _ in range(2)]
        for answer in answers:
            with pytest.raises(error):
                await asyncio.wait_for(answer, WITHIN_S)
        await asyncio.wait_for(connection.closed, WITHIN_S)


async def test_a_broker_that_is_too_old_is_named(
    kafka: KafkaConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "VERSION", 99)
    async with Line(kafka).listening() as line:
        with pytest.raises(IncompatibleBrokerVersion, match=r"Kafka 2\.1"):
            await BrokerConnection.open(HOST, line.port, arguments(kafka))


async def test_lost_connections_lose_and_double_nothing(
    kafka: KafkaConnection, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance, cuts = random.Random(20261125), 0
    line, open_ = Line(kafka), BrokerConnection.open

    def cut_some(data: bytes) -> list[bytes | None]:
        nonlocal cuts
        if chance.random() < 0.15:  # before the answer, within it, or when connecting
            cuts += 1
            return [data[: chance.randrange(len(data))], None]
        return [data]

    async with line.listening():
        monkeypatch.setattr(
            BrokerConnection, "open", lambda host, _, arguments: open_(host, line.port, arguments)
        )
        log = EventLog(kafka, (topic,), QueueLimits(1 << 20, WITHIN_S))
        await log.start()
        async with asyncio.timeout(WITHIN_S):
            while not log.ready:
                await asyncio.sleep(0.01)
        line.change = cut_some
        offsets: list[int] = []
        for _ in range(40):
            records = [new_record(b"k", b"v", b"\0", 1_790_000_000_000) for _ in range(10)]
            appended = [log.append(topic, record) for record in records]
            offsets += await asyncio.wait_for(asyncio.gather(*appended), 2 * WITHIN_S)
        line.change = lambda data: [data]
        await log.stop()
    assert cuts > 3
    assert offsets == list(range(400))


async def test_a_connection_that_opens_as_the_producer_closes_is_closed(
    kafka: KafkaConnection, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    producer = await Producer.connect(kafka, (topic,), QueueLimits(1 << 20, WITHIN_S), FirstIds())
    made, closing = [], []
    open_ = BrokerConnection.open

    async def close_meanwhile(*to: Any) -> BrokerConnection:
        made.append(await open_(*to))
        closing.append(asyncio.create_task(producer.close()))
        return made[0]

    monkeypatch.setattr(BrokerConnection, "open", close_meanwhile)
    (queue,) = producer.queues[topic]
    appended = queue.append((new_record(b"k", b"v", b"\0", 1_790_000_000_000),), 1)
    with pytest.raises(Unacknowledged):
        await asyncio.wait_for(appended, WITHIN_S)
    await asyncio.wait_for(closing[0], WITHIN_S)
    await asyncio.wait_for(made[0].closed, WITHIN_S)


async def test_a_producer_whose_owner_ends_while_it_closes_leaves_no_connection(
    kafka: KafkaConnection, topic: str
) -> None:
    producer = await Producer.connect(kafka, (topic,), QueueLimits(1 << 20, WITHIN_S), FirstIds())
    [asked] = producer._cluster._connections.values()
    closed, waiting = asyncio.Event(), asyncio.Event()

    async def close_for_ever() -> None:
        waiting.set()
        await closed.wait()

    producer._links.close = close_for_ever  # type: ignore[method-assign]
    closing = asyncio.create_task(producer.close())
    async with asyncio.timeout(WITHIN_S):
        await waiting.wait()
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert not asked.connected()
