"""The pictures of the documents, drawn of a day of events: TESTS_PICTURES=docs says where they go."""

import os
from pathlib import Path

import httpx
import pytest

from tests.console.browser import WIDE, Scheme
from tests.console.conftest import PICTURED, TENANT
from tests.console.looks import Look
from tests.stack import Stack

PICTURES: dict[str, tuple[str, Scheme]] = {
    "console-overview": ("/?range=24h", "light"),
    "console-search": ("/search?range=24h&q=type:FAULT&event={id}", "light"),
    "console-list": ("/search?range=24h", "dark"),
}
"""By name the path, in which `{id}` is a fault, and the scheme."""
A_DAY = """
INSERT INTO events.events (tenant, id, received_at, event_type, event_source, operation, entity_id,
    entity_name, payload_entity_id, key_attributes, payload, fault, kafka_partition, kafka_offset)
WITH cityHash64(id, copy) AS chance,
    if(fault_status = 503, chance % 10800, chance % 86400) AS age_s, -- one status began three hours ago
    toUnixTimestamp64Milli(now64(3)) - toUInt64(age_s * 1000) AS ms,
    bitOr(bitShiftLeft(ms, 16), bitOr(0x7000, chance % 4096)) AS high, -- UUIDv7, RFC 9562 section 5.7
    bitOr(0x8000000000000000, bitShiftRight(sipHash64(chance), 2)) AS low
SELECT '{to}', reinterpretAsUUID(bitOr(bitShiftLeft(toUInt128(low), 64), toUInt128(high))),
    fromUnixTimestamp64Milli(toInt64(ms)), event_type, event_source, operation, entity_id, entity_name,
    payload_entity_id, key_attributes, payload, fault, 0, 0
FROM events.events CROSS JOIN (SELECT number AS copy FROM numbers(4)) AS copies
WHERE tenant = '{of}'
"""
A_FAULT = f"""
SELECT toString(id) FROM events WHERE tenant = '{PICTURED}' AND event_type = 'FAULT'
ORDER BY received_at DESC LIMIT 1
"""


@pytest.fixture
def fault(stack: Stack, console: str) -> str:
    """The id of the newest of a day's failures."""
    assert console
    day = A_DAY.format(to=PICTURED, of=TENANT)
    answer = httpx.post(stack.status["clickhouse"], content=day, timeout=60)
    assert answer.status_code == 200, answer.text
    return str(stack.sql(A_FAULT)[0][0])


def test_the_pictures_of_the_documents_can_be_drawn(fault: str, look: Look, tmp_path: Path) -> None:
    folder = Path(os.environ.get("TESTS_PICTURES", tmp_path))
    for name, (path, scheme) in PICTURES.items():
        with look(WIDE, scheme) as window:
            page = window.go(f"{path.format(id=fault)}&tenant={PICTURED}")
            page.wait_for_load_state("networkidle")
            assert not page.locator("[data-state=error]").count()
            window.shoot(folder / f"{name}.png")
        assert (folder / f"{name}.png").stat().st_size > 10_000
