"""When an event happened, out of what senders write: the engine's column and the rule in Python agree."""

import random
import re
import uuid
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

from contracts.encoding.block import Block, Row, row
from contracts.encoding.wire import decode_event
from processors.materialize.rows import ClickHouseRows
from tests.builders import a_payload, an_event, represented
from tests.stack import Stack
from tests.tables import fresh_table

RECEIVED = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
RECEIVED_MS = round(RECEIVED.timestamp() * 1000)
DAY_MS = 24 * 3600 * 1000
YEAR_2000_MS = 946_684_800_000
KNOWN = {
    "2026-11-26T10:11:12.345Z": "2026-11-26 10:11:12.345",
    "2026-11-26t10:11:12z": "2026-11-26 10:11:12.000",
    "2026-11-26 10:11:12": "2026-11-26 10:11:12.000",
    "2026-11-26 10:11": "2026-11-26 10:11:00.000",
    " 2026-11-26 10:11:12,345 ": "2026-11-26 10:11:12.345",
    "2026-11-26T10:11:12.999999999+01:30": "2026-11-26 08:41:12.999",
    "2026-11-26 10:11:12 -0330": "2026-11-26 13:41:12.000",
    "2026-11-26 10:11:12 UTC": "2026-11-26 10:11:12.000",
    "Thu, 26 Nov 2026 10:11:12 +0100": "2026-11-26 09:11:12.000",
    "6 Nov 2026 10:11:12 GMT": "2026-11-06 10:11:12.000",
    "1764151200": "2025-11-26 10:00:00.000",
    "1764151200.5": "2025-11-26 10:00:00.500",
    "1764151200123": "2025-11-26 10:00:00.123",
    "2026-11-27T12:00:00Z": "2026-11-27 12:00:00.000",  # a day ahead may be a zone
    "2000-01-01T00:00:00Z": "2000-01-01 00:00:00.000",
    **dict.fromkeys(
        (
            *(
                "time at error occured",
                "",
                "now",
                "2026",
                "2026-11-26",
                "10:11:12",
                "26.11.2026 10:11",
            ),
            *("2026-02-30 10:11:12", "2026-13-01 10:11:12", "2026-11-26 24:00:00"),
            *("2026-00-26 10:11:12", "2026-11-00 10:11:12", "00 Nov 2026 10:11:12 GMT"),
            *("2026-11-26 10:60:00", "2026-11-26 10:11:61", "2026-11-26 10:11:12 PM"),
            *("2026-11-26T10:11:12+25:00", "2026-11-26T10:11:12 CET", "x2026-11-26T10:11:12Z"),
            *("2026-11-26T10:11:12Zx", "2026-11-26T10:11:12Z\n2026-11-26T10:11:12Z"),
            *("2026-11-27T12:00:00.001Z", "1999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"),
            *(
                "9999-12-31T23:59:59Z",
                "0",
                "12345678",
                "99999999999",
                "9999999999999",
                "-1764151200",
            ),
            *(
                "1764151200e3",
                "\u0662\u0660\u0662\u0666-11-26T10:11:12Z",
                "Fry, 26 Nov 2026 10:11:12 +0100",
            ),
        ),
        "",
    ),
}
ISO = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)?"
    r" ?([Zz]|UTC|GMT|[+-][0-9]{2}:?[0-9]{2})?"
)
MUTATIONS = "0123456789-:.,+TZ U"


def expected_ms(text: str) -> int | None:
    """The rule, without ClickHouse."""
    text = text.strip(" ")
    found = None
    if re.fullmatch(r"[0-9]{9,10}(\.[0-9]{1,9})?", text):
        found = int(Decimal(text) * 1000)
    elif re.fullmatch(r"[0-9]{12,13}", text):
        found = int(text)
    elif iso := ISO.fullmatch(text):
        found = _iso_ms(iso)
    lies_there = found is not None and YEAR_2000_MS <= found <= RECEIVED_MS + DAY_MS
    return found if lies_there and len(text) <= 40 else None


def _iso_ms(iso: "re.Match[str]") -> int | None:
    date, minute, second, fraction, zone = iso.groups()
    second = second or "00"
    try:
        leap = second == "60"
        time = datetime.fromisoformat(f"{date}T{minute}:{'59' if leap else second}+00:00")
    except ValueError:
        return None
    if zone and zone[0] in "+-":
        hours, minutes = int(zone[1:3]), int(zone[-2:])
        if hours > 14 or minutes > 59:
            return None
        offset = timedelta(hours=hours, minutes=minutes)
        time -= offset if zone[0] == "+" else -offset
    milliseconds = int((fraction or "").ljust(3, "0")[:3])
    return round((time + timedelta(seconds=leap)).timestamp()) * 1000 + milliseconds


def random_texts(chance: random.Random, count: int) -> list[str]:
    """Times in the forms that people write, some of them spoilt in a character."""
    found = []
    for _ in range(count):
        offset = timezone(timedelta(minutes=chance.choice([0, 60, 330, -210, 840, -720])))
        time = datetime.fromtimestamp(chance.uniform(900_000_000, 1_796_000_000), offset)
        forms = (
            time.isoformat(),
            time.isoformat(sep=" ", timespec=chance.choice(["minutes", "seconds", "milliseconds"])),
            time.strftime("%Y-%m-%d %H:%M:%S,%f"),
            time.strftime("%Y-%m-%dT%H:%M:%SZ"),
            time.strftime("%Y-%m-%d %H:%M:%S %z"),
            str(round(time.timestamp())),
            str(round(time.timestamp() * 1000)),
            f"{time.timestamp():.3f}",
        )
        text = chance.choice(forms)
        if chance.random() < 0.5:
            at = chance.randrange(len(text))
            text = text[:at] + chance.choice(MUTATIONS) + text[at + chance.randrange(2) :]
        found.append(text)
    return found


def a_row(number: int, text: str) -> Row:
    body = an_event(event_payload=a_payload(key_attributes={"timestamp": text}))
    event = decode_event(represented(body, str(uuid.UUID(int=number))))
    return row("acme", 0, number, RECEIVED_MS, event)


async def occurred(stack: Stack, texts: list[str]) -> list[str]:
    """What the table says of each; empty for null."""
    async with fresh_table(stack.status["clickhouse"]) as (clickhouse, connection):
        block = Block()
        block.add([a_row(number, text) for number, text in enumerate(texts)])
        await ClickHouseRows(clickhouse, connection, log=0).insert(block)
        asked = "ifNull(toString(occurred_at), '') FROM {database}.events ORDER BY kafka_offset"
        sql = f"SELECT {asked.format(database=connection.database)} FORMAT TSV"
        return (await clickhouse.select(sql)).decode().split("\n")[: len(texts)]


async def test_each_usual_form_is_a_time_and_what_cannot_be_is_none(stack: Stack) -> None:
    assert dict(zip(KNOWN, await occurred(stack, list(KNOWN)), strict=True)) == KNOWN


async def test_the_engine_and_the_rule_agree_on_whatever_is_written(stack: Stack) -> None:
    texts = random_texts(random.Random(1), 4000)
    shown = await occurred(stack, texts)
    wanted = []
    for text in texts:
        ms = expected_ms(text)
        time = datetime.fromtimestamp((ms or 0) / 1000, UTC)
        wanted.append("" if ms is None else f"{time:%Y-%m-%d %H:%M:%S}.{ms % 1000:03d}")
    differing = [each for each in zip(texts, shown, wanted, strict=True) if each[1] != each[2]]
    assert not differing, differing[:20]
    assert sum(map(bool, shown)) > 1000
