"""What the ledger's table tells an audit: the same as the attempts in memory, whatever they are."""

import random
import uuid

from contracts.attempts import Attempt, encode_attempt
from contracts.clickhouse.deliveries import DELIVERIES_TABLE, AttemptBlock, AttemptRow
from contracts.encoding.recordbatch import encode_headers, new_record
from contracts.topics import DELIVERIES
from processors.upkeep.database import Database
from processors.upkeep.deliveries.told import CLOCKS_MS
from tests.attempts import NOW_MS, an_attempt
from tests.fakes.audited import FakeAudited
from tests.fakes.delivering import FakeLog, FakeTopics
from tests.records import consumed
from tests.stack import Stack
from tests.tables import fresh_table

IDS = [str(uuid.uuid4()) for _ in range(6)]
SUBSCRIPTIONS = [str(uuid.uuid4()) for _ in range(3)]
SINCE_MS = NOW_MS - 600_000


def an_attempt_of(chance: random.Random, number: int) -> Attempt:
    """Of some event or range, at a time of its own; some are older than asked for."""
    offset = chance.randrange(6)
    is_range = chance.random() < 0.2
    state = chance.choice(["delivered", "failed", "dead", "cancelled"])
    return an_attempt(
        at=SINCE_MS - CLOCKS_MS + 1000 * (number - 20),
        tenant=chance.choice(["acme", "globex"]),
        subscription_id=chance.choice(SUBSCRIPTIONS),
        state=chance.choice(["dead", "cancelled"]) if is_range else state,
        event_id="" if is_range else IDS[offset],
        partition=chance.randrange(2),
        offset=offset,
        until=offset + chance.randint(1, 4) if is_range else -1,
        attempt=number,
        origin=chance.choice(["automatic", "manual"]),
        code=chance.choice(["", "AccessDenied"]),
        exhausted=chance.choice(["", "not taken for 60 s"]),
    )


async def test_clickhouse_tells_what_the_attempts_say(stack: Stack) -> None:
    chance, topics = random.Random(7), FakeTopics()
    attempts = [an_attempt_of(chance, number) for number in range(300)]
    for each in attempts:
        record = new_record(b"acme:1", encode_attempt(each), encode_headers([]), each.at)
        topics.records[DELIVERIES].append(consumed(record))
    expected = FakeAudited(topics, FakeLog(topics, {}), [])
    expected.stored = len(attempts)
    async with fresh_table(stack.status["clickhouse"]) as made:
        table = Database(*made).rows(0, DELIVERIES_TABLE, "test ")
        rows = [AttemptRow(0, offset, each) for offset, each in enumerate(attempts)]
        for _ in range(2):  # as a paused earlier owner may write it once more
            for day in {row.day for row in rows}:
                await table.insert(AttemptBlock([row for row in rows if row.day == day]))
        asked = Database(*made).deliveries()
        for where in [(0, 0, 6, SINCE_MS), (1, 2, 5, SINCE_MS), (1, 4, 5, NOW_MS), (2, 0, 9, 0)]:
            told = sorted(await asked.told(*where))
            wanted = sorted(await expected.told(*where))
            for found, same in zip(told, wanted, strict=True):
                assert found[:3] == same[:3]
                assert sorted(found.once) == sorted(same.once)
                assert not same.once or found.delivered_ms == same.delivered_ms
                for one, other in zip(sorted(found.others), sorted(same.others), strict=True):
                    made_ms = one.delivered_ms if one.delivered else 0
                    latest = other.latest
                    assert one._replace(delivered_ms=made_ms, latest=latest) == other
                    assert one.latest.startswith(latest)
            ended = await asked.ended(*where)
            assert sorted(ended) == sorted(set(await expected.ended(*where)))
        assert "toIntervalDay(30)" in await asked.ttl()
