"""Partitions that are added while everything runs: taken in hand, counted, audited, and none skipped."""

import asyncio
import os
import subprocess
import uuid

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from contracts.topics import EVENTS
from local.stack import environment
from tests import forked
from tests.builders import an_event, represented
from tests.faults.scenario import POLL_S, Play, Scenario
from tests.faults.whole import Whole, whole

NOTICED_S = 60.0
APPENDED = 5


async def grown(story: Scenario) -> int:
    """One more partition; its number."""
    number = len(story.group.partitions)
    admin = AIOKafkaAdminClient(bootstrap_servers=story.servers.ports.url("kafka"))
    await admin.start()
    try:
        await admin.create_partitions({EVENTS: NewPartitions(number + 1)})
    finally:
        await admin.close()
    return number


async def fill(story: Scenario, partition: int) -> None:
    """Events into this partition, as soon as the broker has it."""
    async with AIOKafkaProducer(bootstrap_servers=story.servers.ports.url("kafka")) as producer:
        async with asyncio.timeout(NOTICED_S):
            while partition not in await producer.partitions_for(EVENTS):
                await producer.client.force_metadata_update()
        for _ in range(APPENDED):
            value = represented(an_event(), str(uuid.uuid4()))
            headers = [("ce_tenant", b"faults")]
            await producer.send_and_wait(
                EVENTS, value, b"faults:1", partition=partition, headers=headers
            )


def audit(story: Scenario) -> "subprocess.CompletedProcess[str]":
    settings = environment(story.servers.ports) | {"EVENTS_CLICKHOUSE__DATABASE": story.database}
    return forked.run("cli", ["audit"], timeout_s=120, environment=os.environ | settings)


async def ready(process: Whole) -> None:
    async with asyncio.timeout(60):
        while (await asyncio.to_thread(process.ready))[0] != 200:
            await asyncio.sleep(POLL_S)


def test_records_of_a_new_partition_are_visible_soon_and_nothing_is_proven_before(
    play: Play,
) -> None:
    async def story(story: Scenario) -> None:
        with whole(story, "materialize") as materialize, whole(story, "route") as route:
            await ready(materialize)
            await ready(route)
            number = await grown(story)
            await fill(story, number)
            stored = f"SELECT count() FROM events WHERE kafka_partition = {number}"
            unproven = await asyncio.to_thread(audit, story)
            if await story.sql(stored) != f"{APPENDED}\n":  # it has not got that far yet
                assert unproven.returncode != 0
                assert "Proven" not in unproven.stdout
            async with asyncio.timeout(NOTICED_S):
                while await story.sql(stored) != f"{APPENDED}\n":
                    await asyncio.sleep(POLL_S)
                for process in (materialize, route):
                    while len(process.metric("events_lag_records")) <= number:
                        await asyncio.sleep(POLL_S)
                    while len(process.metric("events_seconds_until_loss")) <= number:
                        await asyncio.sleep(POLL_S)
            assert materialize.errors() == route.errors() == []
            async with asyncio.timeout(NOTICED_S):
                while f"partition {number}" in (await asyncio.to_thread(audit, story)).stderr:
                    await asyncio.sleep(POLL_S)

    play(story)
