"""A queue that fails holds up its subscription alone; what waits for it arrives, also after a restart."""

import asyncio
import json
import uuid
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaProducer

from contracts.topics import DELIVERIES_DEAD, ROUTE_GROUP, SUBSCRIPTIONS
from tests.fakes.sqs import StrictSqs
from tests.faults.group import group
from tests.faults.scenario import DONE_S, POLL_S, TENANT, Play, Scenario
from tests.faults.whole import Whole, whole
from tests.queues import arn

APPENDED = 120
AWAY, WELL = "away.fifo", "well"


async def subscribe(story: Scenario, **queues: str) -> None:
    """Subscriptions to all but announcements, their ids by queue; they replace all that there were."""
    async with AIOKafkaProducer(bootstrap_servers=story.servers.ports.url("kafka")) as producer:
        for queue, subscription_id in queues.items():
            body = {
                "name": queue,
                "filter": {"key_attributes": {"hops": [{"exists": False}]}},
                "destination": {"type": "sqs", "arn": arn(queue)},
                "enabled": True,
                "id": subscription_id,
            }
            key = f"{TENANT}:{subscription_id}".encode()
            await producer.send_and_wait(SUBSCRIPTIONS, json.dumps(body).encode(), key)


async def until(condition: Callable[[], Any]) -> None:
    """Return when it holds."""
    async with asyncio.timeout(DONE_S):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(POLL_S)


async def at_the_end(story: Scenario) -> None:
    """Have the router begin at the log's end."""
    async with group(story.servers.ports.url("kafka"), ROUTE_GROUP) as members:
        await members.evict()
        await members.commit(await members.ends())


def says_parked(process: Whole) -> bool:
    return process.ready() == (200, []) and process.metric("events_deliveries_parked") == [1.0]


def test_one_queue_that_fails_holds_up_nobody_else_and_gets_everything_when_it_is_back(
    play: Play,
) -> None:
    async def story(story: Scenario) -> None:
        sqs = StrictSqs()
        away, well = sqs.create(AWAY), sqs.create(WELL)
        away.faults.refuse = "ServiceUnavailable"
        await at_the_end(story)
        ids = {AWAY: str(uuid.uuid4()), WELL: str(uuid.uuid4())}
        await subscribe(story, **ids)
        with sqs.served():
            with whole(story, "route", EVENTS_SQS__ENDPOINT_URL=sqs.url) as process:
                await story.append(APPENDED, entities=APPENDED // 8)
                await until(lambda: len(well.event_ids) == APPENDED)
                await until(lambda: says_parked(process))
                await story.append(APPENDED, entities=APPENDED // 8)
                await until(lambda: len(well.event_ids) == 2 * APPENDED)
                async with group(story.servers.ports.url("kafka"), ROUTE_GROUP) as members:
                    async with asyncio.timeout(DONE_S):
                        while await members.lag():
                            await asyncio.sleep(POLL_S)
            assert away.event_ids == []
            async with group(story.servers.ports.url("kafka"), ROUTE_GROUP) as members:
                await members.evict()
            with whole(story, "route", EVENTS_SQS__ENDPOINT_URL=sqs.url) as process:
                await until(lambda: says_parked(process))  # it knows from the log
                away.faults.refuse = ""
                await until(lambda: len(away.event_ids) == 2 * APPENDED)
                await until(lambda: process.metric("events_deliveries_parked") == [0.0])
                await story.append(1)
                await until(lambda: len(away.event_ids) == 2 * APPENDED + 1)
                assert process.errors() == []
        assert set(away.event_ids) == set(well.event_ids) == set(story.accepted.values())
        order = {event_id: at for at, event_id in story.accepted.items()}
        came = defaultdict(list)
        for event_id in away.event_ids:
            came[story.entities[event_id]].append(order[event_id])
        assert all(positions == sorted(positions) for positions in came.values())
        await disable(story, ids)

    play(story)


def test_a_queue_that_fails_loses_nothing_until_its_events_were_owed_too_long(play: Play) -> None:
    async def story(story: Scenario) -> None:
        sqs = StrictSqs()
        queue = sqs.create("fails")
        queue.faults.refuse = "ServiceUnavailable"
        await at_the_end(story)
        ids = {"fails": str(uuid.uuid4())}
        await subscribe(story, **ids)
        kafka = story.servers.ports.url("kafka")
        with sqs.served():
            # no call is without an answer, however busy the machine is
            settings = {"EVENTS_SQS__ENDPOINT_URL": sqs.url, "EVENTS_SQS__READ_TIMEOUT_S": "60"}
            with whole(story, "route", **settings) as process:
                await story.append(APPENDED)
                await until(lambda: says_parked(process))
                queue.faults.refuse = ""  # it is back
                await until(lambda: len(queue.event_ids) == APPENDED)
                await until(lambda: process.metric("events_deliveries_parked") == [0.0])
            async with group(kafka, ROUTE_GROUP) as members:
                await members.evict()
                before = await members.end_of(DELIVERIES_DEAD)
                queue.faults.refuse = "ServiceUnavailable"
                with whole(story, "route", **settings, EVENTS_RETRY_FOR_S="1") as process:
                    await story.append(APPENDED)
                    async with asyncio.timeout(DONE_S):
                        while await members.end_of(DELIVERIES_DEAD) < before + APPENDED:
                            await asyncio.sleep(POLL_S)
                    queue.faults.refuse = ""
                    await story.append(1)
                    await until(lambda: len(queue.event_ids) == APPENDED + 1)
                    await until(lambda: process.metric("events_deliveries_parked") == [0.0])
                assert await members.end_of(DELIVERIES_DEAD) == before + APPENDED
                dead = await members.read(DELIVERIES_DEAD, before, APPENDED)
        headers = [dict(each.headers) for each in dead]
        assert {each["error_code"] for each in headers} == {b"ServiceUnavailable"}
        assert {each["exhausted"] for each in headers} == {b"not taken for 1 s"}
        given_up = {each["event_id"].decode() for each in headers}
        assert given_up | set(queue.event_ids) == set(story.accepted.values())
        assert not given_up & set(queue.event_ids)
        await disable(story, ids)

    play(story)


def test_a_message_that_no_queue_takes_is_parked_and_the_others_of_its_batch_are_sent(
    play: Play,
) -> None:
    async def story(story: Scenario) -> None:
        await at_the_end(story)
        ids = {"single": str(uuid.uuid4()), "choosy": str(uuid.uuid4())}
        await subscribe(story, **ids)
        sqs = StrictSqs()
        single, choosy = sqs.create("single"), sqs.create("choosy")
        single.faults.singles = True
        kafka = story.servers.ports.url("kafka")
        async with group(kafka, ROUTE_GROUP) as members:
            before = await members.end_of(DELIVERIES_DEAD)
            await story.append(20)
            refused = story.accepted[min(story.accepted)]
            single.faults.unfit.add(refused)
            choosy.faults.unfit.add(refused)
            others = set(story.accepted.values()) - {refused}
            with (
                sqs.served(),
                whole(story, "route", EVENTS_SQS__ENDPOINT_URL=sqs.url) as process,
            ):
                await until(lambda: set(single.event_ids) == set(choosy.event_ids) == others)
                async with asyncio.timeout(DONE_S):
                    while await members.lag():
                        await asyncio.sleep(POLL_S)
                # not at once: it looks at the log beside its work
                await until(lambda: process.ready() == (200, []))
            after = await members.end_of(DELIVERIES_DEAD)
        assert after - before == len(ids)  # once for each subscription
        await disable(story, ids)

    play(story)


async def disable(story: Scenario, ids: dict[str, str]) -> None:
    """Take the subscriptions away: other tests route without them."""
    async with AIOKafkaProducer(bootstrap_servers=story.servers.ports.url("kafka")) as producer:
        for each in ids.values():
            await producer.send_and_wait(SUBSCRIPTIONS, None, f"{TENANT}:{each}".encode())
