"""Brokers that accept connections and say nothing: they hold up nobody but themselves."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.admin import ApiVersionResponse_v0
from aiokafka.protocol.metadata import MetadataRequest

from contracts.topics import EVENTS, SUBSCRIPTIONS
from service.connections import KafkaConnection
from service.kafka import bootstrap
from service.kafka.backlog import observing, retention_of
from service.kafka.cluster import Address, Cluster
from service.kafka.first_ids import FirstIds
from service.kafka.linger import Linger
from service.kafka.links import Links
from service.kafka.partition import PartitionQueue, QueueLimits
from service.kafka.producer import Producer
from tests.stack import Stack

HOST = "127.0.0.1"
WITHIN_S = 20
LONG_S = 600.0
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
LIMITS = QueueLimits(1 << 20, LONG_S)


@contextlib.asynccontextmanager
async def hanging() -> AsyncIterator[Address]:
    """A listener whose connections wait for ever."""
    with_nobody: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: with_nobody.append(writer), HOST, 0)
    async with server:
        yield HOST, server.sockets[0].getsockname()[1]
        for writer in with_nobody:
            writer.transport.abort()


async def test_whoever_answers_is_asked(stack: Stack) -> None:
    async with hanging() as (host, port):
        servers = f"{host}:{port},{stack.status['kafka']}"
        kafka = KafkaConnection(bootstrap_servers=servers, request_timeout_s=LONG_S)
        async with asyncio.timeout(WITHIN_S):
            for _ in range(3):  # the order of those that are not known is random
                producer = await Producer.connect(
                    kafka, (EVENTS, SUBSCRIPTIONS), LIMITS, FirstIds()
                )
                assert producer.queues[EVENTS]
                await producer.close()


async def test_of_questions_at_once_one_connection_stays_and_none_behind_the_end(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[AIOKafkaConnection] = []

    async def connect(*address: Any, **arguments: Any) -> AIOKafkaConnection:
        made.append(await create_conn(*address, **arguments))
        return made[-1]

    monkeypatch.setattr("service.kafka.cluster.create_conn", connect)
    cluster = Cluster(KafkaConnection(bootstrap_servers=stack.status["kafka"]), (EVENTS,))
    async with asyncio.timeout(WITHIN_S):
        await asyncio.gather(*(cluster.refresh() for _ in range(3)))
        assert [each.connected() for each in made].count(True) == 1
        asking = asyncio.create_task(cluster.refresh())
        await asyncio.sleep(0)
        await cluster.close()
        await asyncio.wait({asking})
    assert not any(each.connected() for each in made)


async def test_without_any_answer_the_deadline_holds_for_all_together() -> None:
    async with hanging() as first, hanging() as second:
        servers = ",".join(f"{host}:{port}" for host, port in (first, second))
        cluster = Cluster(
            KafkaConnection(bootstrap_servers=servers, request_timeout_s=1), (EVENTS,)
        )
        async with asyncio.timeout(WITHIN_S):
            with pytest.raises((TimeoutError, KafkaConnectionError)):
                await cluster.refresh()
        await cluster.close()


async def test_lanes_do_not_wait_for_a_connection_to_who_led_them_once(stack: Stack) -> None:
    given_back: list[PartitionQueue] = []
    kafka = KafkaConnection(bootstrap_servers=stack.status["kafka"], request_timeout_s=LONG_S)
    cluster = Cluster(kafka, (EVENTS,))
    links = Links(
        cluster, lambda *queues: given_back.extend(queues), lambda *what: pytest.fail("no")
    )
    moved, stays, last = (
        PartitionQueue(
            TopicPartition(EVENTS, number), LIMITS, lambda queue: None, Linger(LONG_S, pytest.fail)
        )
        for number in range(3)
    )
    async with hanging() as address, hanging() as other, asyncio.timeout(WITHIN_S):
        cluster.brokers = {1: address, 2: other}
        links.open(1, address, [moved, stays])
        links.open(1, address, [last])
        cluster.leaders = {moved.partition: 2, stays.partition: 1, last.partition: 1}
        assert links.slow
        links.learned()
        assert given_back == [moved]
        cluster.leaders |= {last.partition: -1}
        links.learned()
        assert given_back == [moved, last]
        cluster.brokers = {1: other, 2: other}  # it has moved
        links.learned()
        while links.slow:
            await asyncio.sleep(0)
        assert given_back == [moved, last, stays]
        await links.close()


async def closed(reader: asyncio.StreamReader) -> bytes:
    """What a client had sent when it closed the connection."""
    async with asyncio.timeout(WITHIN_S):
        return await reader.read()


async def observe(kafka: KafkaConnection) -> None:
    async with observing(kafka, "a-group"):
        pass


async def ask_an_admin(kafka: KafkaConnection) -> None:
    await retention_of(EVENTS, kafka)


@pytest.mark.parametrize("ask", [observe, ask_an_admin])
async def test_a_start_that_is_given_up_leaves_no_connection(
    ask: Callable[[KafkaConnection], Coroutine[Any, Any, None]],
) -> None:
    connected = asyncio.Queue[Connection]()

    async def versions_alone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = int.from_bytes(await reader.readexactly(4), "big")
        correlation = (await reader.readexactly(size))[4:8]
        answer = correlation + ApiVersionResponse_v0(0, [(MetadataRequest.API_KEY, 0, 5)]).encode()
        writer.write(len(answer).to_bytes(4, "big") + answer)
        connected.put_nowait((reader, writer))

    async with await asyncio.start_server(versions_alone, HOST, 0) as server:
        port = server.sockets[0].getsockname()[1]
        kafka = KafkaConnection(bootstrap_servers=f"{HOST}:{port}", request_timeout_s=LONG_S)
        asking = asyncio.create_task(ask(kafka))
        async with asyncio.timeout(WITHIN_S):
            reader, writer = await connected.get()
            await reader.readexactly(4)  # it asks for the cluster
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert await closed(reader)
        writer.transport.abort()


async def test_what_a_start_leaves_behind_keeps_none_but_its_last_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """aiokafka's own task asks for the cluster again and again, in the context of the start."""
    kept: list[list[Any]] = []

    async def open_nothing(*_: Any, **options: Any) -> Any:
        return object()

    async def start(_: Any) -> None:
        async def ask_again() -> None:
            for _ in range(100):
                await bootstrap._create_and_note()
            kept.append(bootstrap._last.get())

        await asyncio.create_task(ask_again())

    monkeypatch.setattr(bootstrap, "_create_conn", open_nothing)
    monkeypatch.setattr(bootstrap, "_bootstrap", start)
    await bootstrap._bootstrap_or_close(None)
    assert [len(each) for each in kept] == [0]
