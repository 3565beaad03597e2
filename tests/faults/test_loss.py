"""Records leave Kafka before a processor has handled them: it ends and says so, and skips none."""

import asyncio
import json
import signal

import pytest
from aiokafka import TopicPartition

from contracts.topics import MATERIALIZE_GROUP, ROUTE_GROUP
from local.stack import environment
from tests import forked
from tests.faults.group import Group, group
from tests.faults.scenario import POLL_S, Play, Scenario
from tests.faults.whole import Whole, whole

APPENDED = 200
DONE_S = 60.0
FETCH_S = 0.5
"""Longer than a fetch waits for records (EVENTS_BATCH_WAIT_MS)."""

Coverage = dict[TopicPartition, int]


async def done(members: Group) -> None:
    """Return when the group has committed everything."""
    async with asyncio.timeout(DONE_S):
        while await members.lag():
            await asyncio.sleep(POLL_S)


async def half_gone(story: Scenario, members: Group) -> tuple[Coverage, Coverage]:
    """Events of which the first of each partition are deleted: committed offsets, the log's start."""
    committed = await members.ends()
    await members.commit(committed)
    await story.append(APPENDED)
    starts = {tp: (committed[tp] + end + 1) // 2 for tp, end in (await members.ends()).items()}
    assert all(committed[tp] < start for tp, start in starts.items())
    await members.delete_below(starts)
    return committed, starts


async def refusal(process: Whole, name: str) -> str:
    """The one thing that it says before it ends."""
    assert await asyncio.to_thread(process.ended) == 1
    [error] = process.errors()
    assert error["message"].startswith(f"Group {name} stops, nothing was skipped")
    assert "EVENTS_ACCEPT_LOSS=true" in error["message"]
    return str(error["message"])


def audited_missing(story: Scenario) -> int:
    """How many records `events audit` misses; it must find some."""
    settings = environment(story.servers.ports) | {"EVENTS_CLICKHOUSE__DATABASE": story.database}
    audit = forked.run("cli", ["audit", "--json"], timeout_s=120, environment=settings)
    assert audit.returncode == 1, audit.stderr
    return int(json.loads(audit.stdout)["counts"]["missing"])


@pytest.mark.parametrize(
    ("processor", "name"), [("materialize", MATERIALIZE_GROUP), ("route", ROUTE_GROUP)]
)
def test_a_processor_whose_records_left_kafka_ends_and_goes_on_when_the_loss_is_accepted(
    play: Play, processor: str, name: str
) -> None:
    async def story(story: Scenario) -> None:
        async with group(story.servers.ports.url("kafka"), name) as members:
            committed, starts = await half_gone(story, members)
            with whole(story, processor) as process:
                said = await refusal(process, name)
            for tp, start in starts.items():
                lost = f"committed {committed[tp]}, first in Kafka {start}"
                assert f"{tp.topic}-{tp.partition}: {lost}, {start - committed[tp]} rec" in said
            assert await members.committed() == committed
            assert await story.stored() == 0
            if processor == "materialize":
                assert audited_missing(story) == sum(
                    start - committed[tp] for tp, start in starts.items()
                )
            with whole(story, processor, EVENTS_ACCEPT_LOSS="true"):
                await done(members)
        if processor == "materialize":
            gone = {at for at in story.accepted if at[1] < starts[story.group.partitions[at[0]]]}
            verdict = await story.verdict()
            assert set(verdict.missing) == gone
            assert verdict.count == len(story.accepted) - len(gone)
            assert not verdict.double

    play(story)


def test_an_offset_past_the_end_ends_it_too_and_an_accepted_one_goes_on_at_the_start(
    play: Play,
) -> None:
    """The topic was made anew, or a broker that lagged became the leader."""

    async def story(story: Scenario) -> None:
        await story.append(APPENDED)
        ends = await story.group.ends()
        past = {tp: end + 7 for tp, end in ends.items()}
        await story.group.commit(past)
        with whole(story, "materialize") as process:
            said = await refusal(process, MATERIALIZE_GROUP)
        assert "materialize, with an empty database" in said
        for tp, end in ends.items():
            assert f"events-{tp.partition}: committed {end + 7}, " in said
            assert f"past the log's end {end}" in said
        assert await story.group.committed() == past
        assert await story.stored() == 0
        with whole(story, "materialize", EVENTS_ACCEPT_LOSS="true"):
            await done(story.group)
        verdict = await story.verdict()  # the log also holds what earlier tests appended
        assert (verdict.missing, verdict.double) == ([], [])

    play(story)


def test_records_that_leave_while_it_runs_end_it(play: Play) -> None:
    async def story(story: Scenario) -> None:
        with whole(story, "materialize") as process:
            await story.append(APPENDED)
            await done(story.group)
            committed = await story.group.committed()
            process.child.send_signal(signal.SIGSTOP)
            await asyncio.sleep(FETCH_S)  # so that no fetch of its own answers with what comes now
            await story.append(APPENDED)
            await story.group.delete_below(await story.group.ends())
            process.child.send_signal(signal.SIGCONT)
            said = await refusal(process, MATERIALIZE_GROUP)
        for tp, offset in committed.items():
            assert f"events-{tp.partition}: committed {offset}, " in said
        assert await story.group.committed() == committed
        assert await story.stored() == APPENDED

    play(story)


def test_a_new_group_begins_at_the_first_record_that_kafka_has(play: Play) -> None:
    async def story(story: Scenario) -> None:
        _, starts = await half_gone(story, story.group)
        await story.group.forget()
        with whole(story, "materialize") as process:
            await done(story.group)
            assert process.errors() == []
        ends = await story.group.ends()
        assert await story.stored() == sum(ends[tp] - start for tp, start in starts.items())

    play(story)
