"""The views over the ledger: what is undelivered, how long it takes, how a queue does."""

import json
import uuid
from collections.abc import Sequence
from typing import Any

from contracts.attempts import Attempt
from contracts.clickhouse.deliveries import DELIVERIES_TABLE, AttemptBlock, AttemptRow
from processors.upkeep.database import Database
from service.clickhouse import ClickHouse
from service.connections import ClickHouseConnection
from tests.attempts import ARN, NOW_MS, an_attempt
from tests.stack import Stack
from tests.tables import fresh_table

EVENT, OTHER, SUBSCRIPTION = (str(uuid.uuid4()) for _ in range(3))
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS


def attempt(state: str, after_ms: int, event: str = EVENT, **changes: Any) -> Attempt:
    """An attempt of half an hour ago and so many ms."""
    at = NOW_MS - HOUR_MS // 2 + after_ms
    known = {"state": state, "at": at, "event_id": event, "subscription_id": SUBSCRIPTION}
    return an_attempt(**known | changes)


async def store(
    made: tuple[ClickHouse, ClickHouseConnection], *attempts: Attempt, twice: bool = True
) -> None:
    """One after the other, as from one partition of the log; each written twice, as may happen."""
    table = Database(*made).rows(0, DELIVERIES_TABLE, "test ")
    for _ in range(1 + twice):
        for offset, each in enumerate(attempts):
            await table.insert(AttemptBlock([AttemptRow(0, offset, each)]))


async def rows(made: tuple[ClickHouse, ClickHouseConnection], view: str) -> list[dict[str, Any]]:
    sql = f"SELECT * FROM {made[1].database}.{view} ORDER BY ALL FORMAT JSONEachRow"
    settings = {"output_format_json_quote_64bit_integers": 0}
    return [json.loads(each) for each in (await made[0].select(sql, None, settings)).splitlines()]


async def undelivered(stack: Stack, attempts: Sequence[Attempt]) -> list[dict[str, Any]]:
    async with fresh_table(stack.status["clickhouse"]) as made:
        await store(made, *attempts)
        return await rows(made, "undelivered")


async def test_what_was_delivered_or_cancelled_at_last_is_not_undelivered(stack: Stack) -> None:
    attempts = [
        attempt("failed", 0),
        attempt("delivered", 1),
        attempt("failed", 0, OTHER),
        attempt("cancelled", 1, OTHER),
        attempt("delivered", 0, str(uuid.uuid4())),
        attempt("opened", 0, ""),
    ]
    assert await undelivered(stack, attempts) == []


async def test_what_failed_is_undelivered_since_its_first_attempt_as_the_latest_says(
    stack: Stack,
) -> None:
    [row] = await undelivered(
        stack,
        [
            attempt("failed", 0, attempt=1, code="A", message="first"),
            attempt("failed", 5000, attempt=2, code="B", message="second"),
        ],
    )
    assert (row["state"], row["attempts"], row["code"], row["message"]) == (
        *("failed", 2, "B", "second"),
    )
    assert row["since"] < row["last_at"]
    assert (row["event_id"], row["subscription_id"]) == (EVENT, SUBSCRIPTION)


async def test_dead_is_undelivered_until_a_redrive_delivers_it(stack: Stack) -> None:
    dead = attempt("dead", 0, code="AccessDenied", exhausted="retry_for_s")
    [row] = await undelivered(stack, [dead])
    assert (row["state"], row["exhausted"]) == ("dead", "retry_for_s")
    redriven = attempt("delivered", 9, origin="manual", job_id="job-1")
    assert await undelivered(stack, [dead, redriven]) == []


async def test_a_cancelled_range_takes_what_failed_in_it_before_and_nothing_else(
    stack: Stack,
) -> None:
    ids = [str(uuid.uuid4()) for _ in range(6)]
    cancelled = attempt("cancelled", 1000, "", partition=3, offset=10, until=20)
    found = await undelivered(
        stack,
        [
            attempt("failed", 0, ids[0], partition=3, offset=10),
            attempt("failed", 0, ids[1], partition=3, offset=19),
            attempt("failed", 0, ids[2], partition=3, offset=20),
            attempt("failed", 0, ids[3], partition=4, offset=15),
            attempt("dead", 0, ids[4], partition=3, offset=15),
            cancelled,
            attempt("failed", 2000, ids[5], partition=3, offset=15),  # by a redrive
        ],
    )
    assert {row["event_id"] for row in found} == set(ids[2:])
    of_another = attempt(
        "cancelled", 1000, "", offset=0, until=99, subscription_id=str(uuid.uuid4())
    )
    assert len(await undelivered(stack, [attempt("failed", 0), of_another])) == 1


async def test_a_range_that_left_kafka_is_dead_and_so_is_what_had_failed_in_it(
    stack: Stack,
) -> None:
    lost = {"partition": 3, "until": 20, "exhausted": "the event left Kafka", "destination": ""}
    found = await undelivered(
        stack,
        [
            attempt("failed", 0, partition=3, offset=10),
            attempt("dead", 1, "", offset=10, **lost),
            attempt("dead", 2, "", offset=20, **lost | {"until": 30}),
        ],
    )
    assert [row["state"] for row in found] == ["dead"] * 3
    nothing = str(uuid.UUID(int=0))
    assert sorted(row["event_id"] for row in found) == sorted([nothing, nothing, EVENT])


async def test_latency_is_of_the_call_and_from_receipt_where_the_id_tells_it(stack: Stack) -> None:
    made_ms = NOW_MS - HOUR_MS // 2
    known = str(uuid.UUID(int=made_ms << 80 | 7 << 76 | 2 << 62))
    async with fresh_table(stack.status["clickhouse"]) as made:
        await store(made, attempt("delivered", 0), attempt("failed", 0, OTHER, latency_ms=900))
        [row] = await rows(made, "delivery_latency")
        assert (row["delivered"], row["call_p50_ms"], row["call_p99_ms"]) == (1, 12, 12)
        assert row["received_p50_ms"] is None  # nan, as JSON has it
    async with fresh_table(stack.status["clickhouse"]) as made:
        await store(made, attempt("delivered", 250, known))
        [row] = await rows(made, "delivery_latency")
        assert row["received_p99_ms"] == 250


async def test_health_says_the_breaker_the_last_error_the_last_hour_and_what_waits(
    stack: Stack,
) -> None:
    healthy = str(uuid.uuid4())
    async with fresh_table(stack.status["clickhouse"]) as made:
        await store(
            made,
            attempt("delivered", -2 * HOUR_MS, str(uuid.uuid4())),
            attempt("delivered", 0, str(uuid.uuid4())),
            attempt("failed", 1000, OTHER, code="AccessDenied", message="no"),
            attempt("failed", 2000, code="AccessDenied", message="still no"),
            attempt("opened", 3000, "", code="AccessDenied", message="open"),
            attempt("dead", 4000, str(uuid.uuid4()), code="InvalidMessageContents", message="x"),
            attempt("delivered", 0, subscription_id=healthy),
        )
        found = {each["subscription_id"]: each for each in await rows(made, "destination_health")}
    sick, well = found[SUBSCRIPTION], found[healthy]
    assert sick["destination"] == ARN
    assert sick["breaker"] == "opened"
    assert sick["breaker_since"] < sick["last_error_at"]
    assert (sick["last_error_code"], sick["last_error_message"]) == ("InvalidMessageContents", "x")
    hour = ("delivered_last_hour", "failed_last_hour", "dead_last_hour", "waiting", "dead")
    assert [sick[name] for name in hour] == [1, 2, 1, 2, 1]
    assert sick["oldest_undelivered"] < sick["breaker_since"]
    assert [well[name] for name in hour] == [1, 0, 0, 0, 0]
    assert (well["breaker"], well["breaker_since"], well["last_error_at"]) == ("closed", None, None)
    assert well["oldest_undelivered"] is None


async def test_health_says_how_far_a_subscription_lags_behind_the_log(stack: Stack) -> None:
    caught_up = str(uuid.uuid4())
    since = {"since": NOW_MS - 5000, "partition": 3}
    async with fresh_table(stack.status["clickhouse"]) as made:
        await store(
            made,
            attempt("behind", 0, "", offset=10, until=500, **since),
            attempt("behind", 1000, "", offset=20, until=30, **since),
            attempt("behind", 0, "", offset=7, until=9, since=NOW_MS - 3000, partition=4),
            attempt("behind", 0, "", offset=7, until=9, subscription_id=caught_up, **since),
            attempt("behind", 1, "", offset=9, until=9, subscription_id=caught_up, **since),
        )
        found = {each["subscription_id"]: each for each in await rows(made, "destination_health")}
        assert await rows(made, "undelivered") == []
    lags, well = found[SUBSCRIPTION], found[caught_up]
    assert lags["behind_records"] == 10 + 2
    assert lags["oldest_undelivered"] == lags["behind_since"] is not None
    assert (well["behind_records"], well["behind_since"], well["oldest_undelivered"]) == (
        0,
        None,
        None,
    )
