"""A search as other tools take it: a command of curl, and SQL for ClickHouse."""

import json
import re
import shlex
from datetime import UTC
from typing import Any

from console.html.times import Range, shown
from contracts import paths
from contracts.clickhouse.conditions import of_fields, of_text
from contracts.criteria import Criteria
from contracts.filters import Refused, parse, to_sql

PARAMETER = re.compile(r"\{([a-z0-9_]+):String\}")
COLUMNS = "received_at, id, event_type, event_source, operation, entity_id, fault, payload"


def as_curl(api: str, tenant: str, body: dict[str, Any]) -> str:
    """The request that the page makes; the token is the reader's own."""
    return " \\\n  ".join(
        (
            f"curl {shlex.quote(api + paths.SEARCH)}",
            '-H "Authorization: Bearer $TOKEN"',
            f"-H {shlex.quote(f'X-TWC-Tenant: {tenant}')}",
            "-H 'Content-Type: application/json'",
            f"-d {shlex.quote(json.dumps(body, ensure_ascii=False))}",
        )
    )


def as_sql(
    tenant: str, pattern: dict[str, Any], beside: dict[str, Any], period: Range, limit: int
) -> str:
    """The same events by a query of an analyst. Raises `Refused`."""
    conditions = [
        f"tenant = {literal(tenant)}",
        f"received_at >= {_moment(period.from_ms)}",
        f"received_at < {_moment(period.to_ms)}",
    ]
    if pattern:
        conditions.append(_filled(*to_sql(parse(pattern))))
    criteria = Criteria.model_construct(None, **beside)
    for found, parameters in (of_fields(criteria), of_text(criteria)):
        conditions += [_filled(each, parameters) for each in found]
    joined = "\n  AND ".join(conditions)
    return f"SELECT {COLUMNS}\nFROM events FINAL\nWHERE {joined}\nORDER BY received_at DESC\nLIMIT {limit}"


def sql_or_why(
    tenant: str, pattern: dict[str, Any], beside: dict[str, Any], period: Range, limit: int
) -> str:
    """`as_sql`, or a comment that says why there is none."""
    try:
        return as_sql(tenant, pattern, beside, period, limit)
    except Refused as refused:
        return f"-- {' '.join(str(refused).split())}"


def literal(text: str) -> str:
    """`text` as a string of ClickHouse's SQL."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return "'" + "".join(each if each.isprintable() else _escaped(each) for each in escaped) + "'"


def _filled(condition: str, parameters: dict[str, str]) -> str:
    """In one pass: what a text holds is no parameter."""
    return PARAMETER.sub(lambda found: literal(parameters[found[1]]), condition)


def _escaped(character: str) -> str:
    return "".join(f"\\x{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))


def _moment(time_ms: int) -> str:
    return f"toDateTime64('{shown(time_ms, UTC)}', 3, 'UTC')"
