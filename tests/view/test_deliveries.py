"""`events audit --deliveries` on real servers: what came to its end is proven, what is missing is named."""

import json
import time
from typing import Any

from processors.consume.replay import Log
from processors.upkeep.acceptance import number_of
from processors.upkeep.database import Database
from processors.upkeep.deliveries.account import Account
from processors.upkeep.deliveries.audit import DeliveriesAudit
from processors.upkeep.deliveries.period import Period, When, period
from service.clickhouse import ClickHouse
from service.connections import ClickHouseConnection
from tests.builders import an_event, many_events
from tests.stack import events, eventually
from tests.subscribed import create_queue, subscribe
from tests.view.conftest import View, by_parts, silent

COUNT = 20


def audit(view: View, asked: Period | None = None) -> dict[str, int]:
    """What it counts now; of the last day by default."""
    found: list[Account] = []

    async def doing(log: Log, clickhouse: ClickHouse, connection: ClickHouseConnection) -> None:
        database = Database(clickhouse, connection)
        number = await number_of(await log.topic_id(), log, database)
        audited = DeliveriesAudit(log, database.deliveries(), database.rows(number))
        found.append(await audited(asked or period(When()), silent))

    by_parts(view, doing)
    return found[0].counts


def test_each_delivery_is_proven_and_what_is_missing_or_foreign_is_named(
    view: View, tenant: str
) -> None:
    def delivered(count: int) -> Any:
        return eventually(
            lambda: audit(view),
            until=lambda counts: counts["delivered"] == count and not counts["unrouted"],
        )

    create_queue(view.stack, f"well-{tenant}")
    with view.stack.client(tenant) as client:
        well = subscribe(client, f"well-{tenant}")
        never = subscribe(client, f"never-{tenant}")  # a queue that is not there
        other = subscribe(client, f"other-{tenant}", entity_id=["of-no-event"])
    subscribed_s = time.time()
    eventually(lambda: time.time() > subscribed_s + 1.1)  # clocks may be a second apart
    ids = view.post(tenant, many_events(COUNT))
    delivered(COUNT)
    posted_ms = round(time.time() * 1000)
    with view.stack.freeze("route"), view.stack.client(tenant) as client:
        assert client.post("/api/v1/events", json=an_event()).status_code == 201
        found = audit(view)
        assert (found["delivered"], found["unrouted"]) == (COUNT, 2)
    found = delivered(COUNT + 1)
    assert (found["behind"], found["unrouted"]) == (COUNT + 1, 0)
    assert audit(view, Period(posted_ms - 3_600_000, posted_ms))["delivered"] == COUNT
    assert audit(view, Period(posted_ms, None))["delivered"] == 1
    assert not any(audit(view, Period(posted_ms + 3_600_000, None)).values())

    row = f"event_id = '{ids[7]}' AND deliveries.subscription_id"
    insert = "INSERT INTO deliveries SELECT * REPLACE ({}) FROM deliveries WHERE {} = '{}'"
    twice = "kafka_offset + 1000000 AS kafka_offset"
    view.execute(insert.format(twice, row, well))
    assert audit(view)["duplicates"] == found["duplicates"] + 1
    view.execute(insert.format(f"toUUID('{other}') AS subscription_id", row, well))
    gone = f"ALTER TABLE deliveries DELETE WHERE {row} = '{{}}' SETTINGS mutations_sync = 2"
    view.execute(gone.format(well))
    answer = events("audit", "--deliveries", "--json", "--since", "1h", home=view.stack.home)
    assert answer.returncode == 1, answer.stdout + answer.stderr
    told = json.loads(answer.stdout)
    partition, offset = view.position(ids[7])
    place = {"tenant": tenant, "event_id": ids[7], "partition": partition, "offset": offset}
    [missing], [foreign] = told["missing"], told["foreign"]
    assert missing == place | {"subscription_id": well, "detail": "no attempt is known"}
    assert foreign["subscription_id"] == other
    printed = view.from_image("audit", "--deliveries", code=1)
    line = f"missing  tenant {tenant} subscription {well} event {ids[7]} at {partition}:{offset}: "
    assert line in printed
    assert f"{told['counts']['delivered']:,} delivered" in printed
    view.execute(gone.format(other))

    # a range that ended takes it, as if its subscription had been disabled
    view.execute(
        "INSERT INTO deliveries (kafka_partition, kafka_offset, tenant, subscription_id, at, state,"
        " event_partition, event_offset, until_offset) VALUES"
        f" (0, 2000000, '{tenant}', '{well}', now64(3), 'cancelled', {partition}, {offset}, {offset + 1})"
    )
    counts = audit(view)
    assert (counts["cancelled"], counts["missing"]) == (1, 0)
    with view.stack.client(tenant) as client:
        assert client.delete(f"/api/v1/subscriptions/{never}").status_code == 204
    assert audit(view)["behind"] == 0
