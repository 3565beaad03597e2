"""Records wait while their time in Kafka runs out: the metric falls, readiness says so, and recovers."""

import asyncio
import time

from contracts.topics import DAY_MS
from tests.faults.scenario import Play, Scenario
from tests.faults.whole import Whole, whole
from tests.processes import wait_until

RETENTION_S = 3600
THRESHOLD_S = 3000
AGE_S = 900
LOOKS_S = 15.0
"""The processor looks at the log every 5 s."""
APPENDED = 60
SECONDS, LAG = "events_seconds_until_loss", "events_lag_records"


def check_time_left(process: Whole, began_s: float, appended_s: float) -> None:
    """What the metric says is left of records that were appended between then and then."""
    before_s = time.monotonic()
    left_s = min(process.metric(SECONDS))
    after_s = time.monotonic()
    whole_s = RETENTION_S - AGE_S
    assert whole_s - (after_s - began_s) - 0.1 < left_s < whole_s - (before_s - appended_s) + 0.1


async def until_ready(process: Whole, wanted: tuple[int, list[str]]) -> None:
    def is_so() -> bool:
        return process.ready() == wanted

    await asyncio.to_thread(wait_until, is_so, f"/readyz answers {wanted}", 60)


def test_the_metric_falls_while_clickhouse_is_away_and_readiness_names_the_retention(
    play: Play,
) -> None:
    async def story(story: Scenario) -> None:
        partitions = len(story.group.partitions)
        with whole(story, "materialize", EVENTS_LOSS_THRESHOLD_S=str(THRESHOLD_S)) as process:
            await until_ready(process, (200, []))
            assert RETENTION_S - LOOKS_S < min(process.metric(SECONDS)) <= RETENTION_S
            with story.servers.clickhouse.frozen():
                began_s = time.monotonic()
                await story.append(APPENDED, age_ms=AGE_S * 1000)
                appended_s = time.monotonic()
                await until_ready(process, (503, ["retention"]))
                assert sum(process.metric(LAG)) == APPENDED
                check_time_left(process, began_s, appended_s)
                await asyncio.sleep(2)
                check_time_left(process, began_s, appended_s)
                assert process.metric("events_handled_records_total") == [0]
            await story.done()
            await until_ready(process, (200, []))
            left = process.metric(SECONDS)
            assert len(left) == partitions
            assert RETENTION_S - LOOKS_S < min(left) <= max(left) <= RETENTION_S
            assert process.metric(LAG) == [0] * partitions
            assert process.metric("events_handled_records_total") == [APPENDED]
        await story.check()

    async def with_retention(made: Scenario) -> None:
        await made.group.retain(RETENTION_S * 1000)
        try:
            await story(made)
        finally:
            await made.group.retain(30 * DAY_MS)

    play(with_retention)


def test_a_log_that_is_kept_for_ever_loses_nothing(play: Play) -> None:
    async def story(story: Scenario) -> None:
        await story.group.retain(-1)
        try:
            with whole(story, "route") as process:
                await until_ready(process, (200, []))
                assert process.metric(SECONDS) == [float("inf")] * len(story.group.partitions)
        finally:
            await story.group.retain(30 * DAY_MS)

    play(story)


def test_without_kafka_the_processor_is_not_ready_and_the_time_left_goes_on_falling(
    play: Play,
) -> None:
    async def story(story: Scenario) -> None:
        with whole(story, "materialize") as process:
            await until_ready(process, (200, []))
            with story.servers.kafka.frozen():
                before = min(process.metric(SECONDS))
                await until_ready(process, (503, ["kafka"]))
                assert before - 60 < min(process.metric(SECONDS)) < before - 10
            await until_ready(process, (200, []))

    play(story)
