"""`events token|get|find|erase|tail`: on the issuer, a small API and the real Kafka."""

import asyncio
import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic

from cli import tail as following
from contracts.encoding.wire import decode_event, encode, encode_erasure
from local import jars
from service.connections import KafkaConnection
from service.kafka.eventlog import EventLog
from service.kafka.partition import QueueLimits
from tests.builders import represented
from tests.cli.conftest import UNUSED, Api, Events, an_event
from tests.cli.terminal import Terminal
from tests.processes import free_port, running_module, wait_until

ID = "0193a2b4-7c1e-7d3f-8a5b-2f6c9d0e1a2b"


def test_token_prints_the_token_alone(events: Events) -> None:
    result = events("token", "--tenant", "shop", "--scope", "a b", "--lifetime-s", "60")
    assert result.exit_code == 0, result.output
    claims = jwt.decode(result.stdout.removesuffix("\n"), options={"verify_signature": False})
    assert (claims["tenant"], claims["scope"], claims["exp"] - claims["iat"]) == ("shop", "a b", 60)


def test_token_says_what_the_issuer_says(events: Events) -> None:
    result = events("token", "--tenant", "no tenant")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "The issuer refuses: 401 client_id must be a tenant's name" in result.stderr


def test_get_prints_the_event_as_it_was_stored(events: Events, api: Api) -> None:
    api.stored[ID] = '{"id": "…", "entity_name": null}'.encode()
    result = events("get", ID)
    assert (result.exit_code, result.stdout_bytes) == (0, api.stored[ID] + b"\n")


@pytest.mark.parametrize("event_id", [ID, "../events", "a b?c#d"])
def test_get_of_an_unknown_id_says_so(events: Events, event_id: str) -> None:
    result = events("get", event_id)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "No event: 404 There is no such event." in result.stderr


def test_erase_asks_and_then_the_event_is_gone(events: Events, api: Api) -> None:
    api.stored[ID] = b"{}"
    refused = events("erase", ID, stdin="n\n")
    assert (refused.exit_code, set(api.stored)) == (1, {ID})
    assert f"Erase event {ID} of acme at {api.url}?" in refused.output
    assert events("erase", ID, stdin="y\n").exit_code == 0
    assert not api.stored


def test_erase_of_an_unknown_id_says_so(events: Events) -> None:
    result = events("erase", ID, "--yes")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Not erased: 404 There is no such event." in result.stderr


@pytest.mark.parametrize(
    "command",
    [("get", ID), ("find",), ("erase", ID, "--yes"), ("sql", "SELECT 1"), ("tail",)],
)
def test_a_server_that_is_away_is_named_with_what_to_do(
    events: Events, command: tuple[str, ...]
) -> None:
    events.point(api=UNUSED)
    result = events(*command)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Nothing answers at " in result.stderr
    assert "127.0.0.1:9 (" in result.stderr
    assert "events up" in result.stderr


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if jars.missing():
        pytest.skip("Kafka's jars are not installed: make setup")
    port = free_port(2)  # the second is the controller's
    arguments = ("--path", str(tmp_path_factory.mktemp("kafka")), "--port", str(port))
    with running_module("local.kafka", *arguments, ready=f"127.0.0.1:{port}"):
        asyncio.run(create_topic(f"127.0.0.1:{port}"))
        yield f"127.0.0.1:{port}"


async def create_topic(bootstrap: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic("events", 1, 1)])
    await admin.close()


LIMITS = QueueLimits(waiting_bytes=1 << 20, ack_s=5)


def produce(bootstrap: str, entity_ids: list[str], *, erased: bool = False) -> list[bytes]:
    """Append events of these entities as the edge does, and the last one's tombstone; their values."""

    async def send() -> list[bytes]:
        log = EventLog(KafkaConnection(bootstrap_servers=bootstrap), ("events",), LIMITS)
        await log.start()
        values = []
        try:
            async with asyncio.timeout(60):
                while not log.ready:
                    await asyncio.sleep(0.05)
                for entity_id in entity_ids:
                    value = represented(an_event(entity_id=entity_id), ID)
                    values.append(value)
                    await log.append(
                        "events", encode("acme", decode_event(value), 1_700_000_000_123, value)
                    )
            if erased:
                await log.append(
                    "events", encode_erasure("acme", decode_event(value), str(uuid.uuid4()), 0)
                )
        finally:
            await log.stop()
        return values

    return asyncio.run(send())


def test_tail_shows_one_line_per_record_and_the_values_when_piped(
    events: Events, kafka: str
) -> None:
    events.point(kafka=kafka)
    values = produce(kafka, ["7", "line\nend\x1b[31m"], erased=True)
    arguments = ("tail", "--from-beginning", "--limit", "3")
    with Terminal(*arguments, "--home", str(events.home), TZ="Europe/Paris") as shown:
        assert shown.end() == 0, shown.seen
    stamp, rest = "2023-11-14 23:13:20.123+01:00", "acme  FAULT  ORDER  CREATE"
    assert shown.seen.splitlines() == [
        f"{stamp}  0:0  {rest}  7  {ID}",
        f"{stamp}  0:1  {rest}  line\ufffdend\ufffd[31m  {ID}",
        f"1970-01-01 01:00:00.000+01:00  0:2  acme  ERASED  ORDER  -  line\ufffdend\ufffd[31m  {ID}",
    ]
    for piped in (events(*arguments), events(*arguments, "--json")):
        assert piped.stdout_bytes == b"".join(value + b"\n" for value in (*values, b"null"))


def test_tail_shows_what_comes_after_it_began(events: Events, kafka: str, tmp_path: Path) -> None:
    events.point(kafka=kafka)
    produce(kafka, ["before"])
    shown = tmp_path / "shown"
    argv = [sys.executable, "-m", "cli", "tail", "--json", "--home", str(events.home)]
    with shown.open("wb") as out, subprocess.Popen(argv, stdout=out) as process:

        def lines() -> list[str]:
            produce(kafka, ["after"])
            return shown.read_text().splitlines()

        wait_until(lines, "a record is shown", 60)
        process.terminate()
    assert {json.loads(line)["entity_id"] for line in shown.read_text().splitlines()} == {"after"}


async def test_tail_goes_on_where_it_was_and_reads_a_new_partition_from_its_first_record(
    kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "METADATA_AGE_MS", 500)

    async def grow(admin: AIOKafkaAdminClient, producer: AIOKafkaProducer) -> None:
        await admin.create_partitions({"grown": NewPartitions(2)})
        while 1 not in await producer.partitions_for("grown"):
            await producer.client.force_metadata_update()
        for value in (b"new first", b"new last"):
            await producer.send_and_wait("grown", value, partition=1)
        await producer.send_and_wait("grown", b"old last", partition=0)

    async def check() -> list[tuple[int, int, bytes]]:
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
        await admin.start()
        await admin.create_topics([NewTopic("grown", 1, 1)])
        producer = AIOKafkaProducer(bootstrap_servers=kafka)
        await producer.start()
        shown: list[tuple[int, int, bytes]] = []

        async def show() -> None:
            async for record in following.follow(kafka, "grown", from_beginning=False, limit=0):
                shown.append((record.partition, record.offset, record.value))

        await producer.send_and_wait("grown", b"before", partition=0)
        showing = asyncio.create_task(show())
        try:
            async with asyncio.timeout(60):
                while not shown:
                    await producer.send_and_wait("grown", b"old", partition=0)
                    await asyncio.sleep(0.05)
                await grow(admin, producer)
                while not {b"new last", b"old last"} <= {value for _, _, value in shown}:
                    assert not showing.done()
                    await asyncio.sleep(0.05)
        finally:
            showing.cancel()
            await asyncio.wait({showing})
            await producer.stop()
            await admin.close()
        return shown

    shown = await check()
    old = [offset for partition, offset, _ in shown if partition == 0]
    assert old == list(range(old[0], old[-1] + 1))  # none twice, none left out
    assert old[0] > 0
    assert [value for partition, _, value in shown if partition] == [b"new first", b"new last"]


def test_tail_of_a_topic_that_is_not_there_names_those_that_are(events: Events, kafka: str) -> None:
    events.point(kafka=kafka)
    result = events("tail", "--topic", "evnets")
    assert result.exit_code == 1
    assert f"No topic evnets at {kafka}; there is events" in result.stderr
