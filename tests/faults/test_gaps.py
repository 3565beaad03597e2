"""Each gap between two writes, struck on purpose: between insert and commit, and inside the insert."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest

from tests.faults.proxy import Fault
from tests.faults.scenario import Play, Scenario
from tests.faults.servers import PROTECTED

EVENTS = 200
WATCHED_S = 2.0


async def struck(story: Scenario, fault: Fault, entry: str = PROTECTED) -> None:
    """Bring a materializer's first insert to `fault`."""
    story.proxy.arm(fault)
    story.start(entry)
    await story.append(EVENTS)
    async with asyncio.timeout(60):
        await story.proxy.struck.wait()


async def killed_after_the_insert(story: Scenario, entry: str = PROTECTED) -> None:
    """The rows are stored, nothing is committed, the materializer is dead; another one goes on."""
    await struck(story, Fault.ANSWER_HELD, entry)
    assert 0 < await story.stored() < EVENTS
    await story.kill(story.running[0])
    story.start(entry)
    await story.done()


async def killed_before_the_insert(story: Scenario, entry: str = PROTECTED) -> None:
    """Half of an insert reached ClickHouse, whose sender is dead and whose rest never comes."""
    await struck(story, Fault.HALF_HELD, entry)
    await story.kill(story.running[0])
    await story.proxy.cut()
    assert await story.stored() == 0
    story.start(entry)
    await story.done()


@pytest.mark.parametrize("story", [killed_after_the_insert, killed_before_the_insert])
def test_the_materializer_is_killed_on_either_side_of_an_insert(
    play: Play, story: Callable[[Scenario], Awaitable[None]]
) -> None:
    async def checked(made: Scenario) -> None:
        await story(made)
        await made.check()

    play(checked)


def test_an_insert_is_executed_and_its_answer_lost(play: Play) -> None:
    async def story(story: Scenario) -> None:
        await struck(story, Fault.ANSWER_SWALLOWED)
        await story.done()
        await story.check()

    play(story)


def test_an_insert_is_executed_and_its_answer_comes_after_the_deadline(play: Play) -> None:
    async def story(story: Scenario) -> None:
        await struck(story, Fault.ANSWER_HELD)
        await story.done()  # the materializer gave the answer up: it was not released
        await story.check()

    play(story)


def test_an_insert_whose_sender_was_killed_comes_complete_after_a_successor_has_begun(
    play: Play,
) -> None:
    """The rest of its bytes was still under way: the successor has to wait for them."""

    async def story(story: Scenario) -> None:
        await struck(story, Fault.HALF_HELD)
        await story.kill(story.running[0])
        story.start()
        with contextlib.suppress(TimeoutError):
            await story.proxy.next_insert(within_s=WATCHED_S)  # too early: the check will tell
        story.proxy.release.set()
        await story.done()
        assert story.proxy.under_way == 0
        await story.check()

    play(story)


@pytest.mark.parametrize("fault", [Fault.ANSWER_HELD, Fault.HALF_HELD])
def test_clickhouse_is_killed_on_either_side_of_a_part(play: Play, fault: Fault) -> None:
    async def story(story: Scenario) -> None:
        await struck(story, fault)
        story.servers.clickhouse.kill()
        story.proxy.release.set()
        await asyncio.to_thread(story.servers.clickhouse.start)
        stored = await story.stored()
        assert (stored > 0) == (fault is Fault.ANSWER_HELD)
        await story.done()
        await story.check()

    play(story)


def test_commits_are_lost(play: Play) -> None:
    """The table is ahead of the group by everything: as after commits that never arrived."""

    async def story(story: Scenario) -> None:
        before = await story.group.ends()
        process = story.start()
        await story.append(EVENTS)
        await story.done()
        await story.stop(process)
        await story.group.commit(before)
        assert await story.group.lag() == EVENTS
        story.start(rows_max=30)  # batches that end elsewhere
        await story.done()
        await story.check()
        assert await story.stored() == EVENTS

    play(story)


def test_the_materializer_is_killed_between_the_erasures_of_a_batch_and_its_commit(
    play: Play,
) -> None:
    async def story(story: Scenario) -> None:
        story.start()
        await story.append(EVENTS)
        await story.done()
        await story.stop(story.running[0])
        await story.erase(every=3)
        await struck(story, Fault.ANSWER_HELD)  # a batch of tombstones and of events behind them
        await story.kill(story.running[0])
        story.start()
        await story.done()
        await story.check()

    play(story)


def test_events_and_their_tombstones_are_read_again(play: Play) -> None:
    """As after commits that never arrived; batches end between an event and its tombstone."""

    async def story(story: Scenario) -> None:
        before = await story.group.ends()
        await story.append(EVENTS)
        await story.erase(every=3)
        await story.append(EVENTS)
        process = story.start()
        await story.done()
        await story.check()
        await story.stop(process)
        await story.group.commit(before)
        story.start(rows_max=30)
        await story.done()
        await story.check()

    play(story)


def test_a_commit_is_under_way_when_kafka_stops_answering_and_the_materializer_is_killed(
    play: Play,
) -> None:
    async def story(story: Scenario) -> None:
        await struck(story, Fault.ANSWER_HELD)
        with story.servers.kafka.frozen():
            story.proxy.release.set()
            await asyncio.sleep(0.3)  # the commit is sent to a broker that does not read it
            await story.end(story.running[0])
        await story.group.evict()
        story.start()
        await story.done()
        await story.check()

    play(story)


@pytest.mark.parametrize(
    ("story", "entry", "wrong"),
    [
        (killed_after_the_insert, "no_read_back", "double"),
        (killed_before_the_insert, "commits_first", "missing"),
    ],
)
def test_without_its_protection_the_check_finds_what_went_wrong(
    play: Play, story: Callable[[Scenario, str], Awaitable[None]], entry: str, wrong: str
) -> None:
    """The control: the same story and the same check, which must fail."""

    async def control(made: Scenario) -> None:
        await story(made, f"tests.faults.unprotected:{entry}")
        verdict = await made.verdict()
        assert not verdict.exact
        assert len(getattr(verdict, wrong)) > 0, str(verdict)
        with pytest.raises(AssertionError, match=wrong):
            await made.check()

    play(control)
