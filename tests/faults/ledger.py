"""A log of known attempts and the ledger that stores them: the faults and the check are those of events."""

import time
import uuid

from contracts.topics import DELIVERIES, LEDGER_GROUP
from tests.attempts import an_attempt, record_of
from tests.faults.scenario import TENANT, Scenario

PROTECTED = "processors.__main__:ledger"


class LedgerScenario(Scenario):
    """`accepted` is the event id of each record that Kafka acknowledged, by its position."""

    topic = DELIVERIES
    group_name = LEDGER_GROUP
    table = "deliveries"
    id = "event_id"
    entry = PROTECTED

    async def append(self, count: int, age_ms: int = 0, entities: int = 0) -> None:
        """Append `count` attempts to deliver, as if `age_ms` ago."""
        at, appended = time.time_ns() // 1_000_000 - age_ms, []
        for number in range(count):
            attempt = an_attempt(at=at, tenant=TENANT, event_id=str(uuid.uuid4()))
            record = record_of(attempt, str(number % (entities or count)))
            partition = record.key_hash % len(self.group.partitions)
            appended.append((partition, attempt.event_id, self.log.append(DELIVERIES, record)))
        for partition, event_id, offset in appended:
            self.accepted[partition, await offset] = event_id
