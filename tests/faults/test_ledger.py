"""The ledger under the materializer's faults: each record of `deliveries` is a row exactly once."""

import random

import pytest

from tests.faults.ledger import PROTECTED
from tests.faults.proxy import Fault
from tests.faults.scenario import Play, Scenario
from tests.faults.servers import kills, seed
from tests.faults.test_gaps import killed_after_the_insert, struck
from tests.faults.test_kills import kill_materializers
from tests.faults.test_rebalances import members_come_and_go

UNPROTECTED = "tests.faults.unprotected:ledger_without_read_back"


def test_the_ledger_is_killed_at_random_instants(play_ledger: Play) -> None:
    async def story(story: Scenario) -> None:
        await kill_materializers(story, kills(), seed(), PROTECTED)
        await story.check()
        print(await story.verdict(), flush=True)

    play_ledger(story)


@pytest.mark.parametrize("fault", [Fault.ANSWER_SWALLOWED, Fault.ANSWER_HELD])
def test_an_insert_of_the_ledger_is_executed_and_its_answer_lost_or_late(
    play_ledger: Play, fault: Fault
) -> None:
    async def story(story: Scenario) -> None:
        await struck(story, fault, PROTECTED)
        await story.done()
        await story.check()

    play_ledger(story)


def test_without_reading_back_a_kill_after_the_insert_is_found_out(play_ledger: Play) -> None:
    async def control(story: Scenario) -> None:
        await killed_after_the_insert(story, UNPROTECTED)
        verdict = await story.verdict()
        assert verdict.double, str(verdict)

    play_ledger(control)


def test_ledgers_join_and_leave_while_attempts_arrive(play_ledger: Play) -> None:
    async def story(story: Scenario) -> None:
        await members_come_and_go(story, max(2, kills() // 5), random.Random(seed()))
        await story.check()

    play_ledger(story)
