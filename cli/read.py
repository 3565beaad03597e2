"""`events token|get|sql|tail`: get in, find one event, query them all, watch the log."""

import asyncio
import contextlib
import json
import sys
from typing import Annotated, Any

import httpx
import typer

from cli.endpoints import TIMEOUT_S, endpoints, fail, unreachable
from cli.options import HOME, PORT_BASE, TENANT, HomeOption, PortBaseOption, TenantOption


def token(
    tenant: TenantOption = TENANT,
    scope: Annotated[str, typer.Option(help="Scopes, separated by spaces.")] = "authentication",
    lifetime_s: Annotated[int, typer.Option(help="Seconds until it expires.")] = 3600,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Print an access token of the local issuer."""
    typer.echo(endpoints(home, port_base).token(tenant, scope, lifetime_s))


def get(
    event_id: Annotated[str, typer.Argument(metavar="ID", help="The event's id.")],
    tenant: TenantOption = TENANT,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Print one event."""
    where = endpoints(home, port_base)
    try:
        url = f"{where.api}/api/v1/events/{event_id}"
        answer = httpx.get(url, headers=where.headers(tenant), timeout=TIMEOUT_S)
    except httpx.TransportError as error:
        unreachable(where.api, error)
    if answer.status_code != httpx.codes.OK:
        fail(f"{answer.status_code}: {answer.json()['detail']}")
    typer.echo(json.dumps(answer.json(), indent=2, ensure_ascii=False))


def sql(
    query: Annotated[
        str, typer.Argument(metavar="SQL", help='For example "SELECT count() FROM events".')
    ],
    format_: Annotated[
        str, typer.Option("--format", help="ClickHouse's name of the output format.")
    ] = "",
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Run SQL in ClickHouse; the database is `events`."""
    where = endpoints(home, port_base)
    default = "PrettyCompactMonoBlock" if sys.stdout.isatty() else "TabSeparatedWithNames"
    parameters = {"database": "events", "default_format": format_ or default}
    try:
        with httpx.stream(
            "POST", where.clickhouse, params=parameters, content=query.encode(), timeout=TIMEOUT_S
        ) as answer:
            if answer.status_code != httpx.codes.OK:
                fail(answer.read().decode().strip())
            for part in answer.iter_bytes():
                sys.stdout.buffer.write(part)
    except httpx.TransportError as error:
        unreachable(where.clickhouse, error)
    sys.stdout.flush()


def tail(
    topic: Annotated[str, typer.Option(help="The topic to follow.")] = "events",
    from_beginning: Annotated[bool, typer.Option(help="Begin with the oldest record.")] = False,
    limit: Annotated[int, typer.Option(help="Stop after this many records; 0 for never.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the records' values.")] = False,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Follow the Kafka topic, one line per record; Ctrl-C ends it."""
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_tail(endpoints(home, port_base).kafka, topic, from_beginning, limit, as_json))


async def _tail(kafka: str, topic: str, from_beginning: bool, limit: int, as_json: bool) -> None:
    from aiokafka import AIOKafkaConsumer
    from aiokafka.errors import KafkaError

    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=kafka,
        auto_offset_reset="earliest" if from_beginning else "latest",
        enable_auto_commit=False,
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await consumer.start()
    except (KafkaError, OSError, TimeoutError) as error:
        await consumer.stop()
        unreachable(kafka, error)
    printed = 0
    try:
        async for record in consumer:
            value = (record.value or b"").decode(errors="replace")
            typer.echo(value if as_json else _line(record, value))
            printed += 1
            if printed == limit:
                return
    finally:
        await consumer.stop()


def _line(record: Any, value: str) -> str:
    """time partition:offset tenant type source operation entity id, as far as they are there."""
    from datetime import UTC, datetime

    headers = {name: text.decode(errors="replace") for name, text in record.headers}
    stamp = datetime.fromtimestamp(record.timestamp / 1000, UTC).isoformat(timespec="milliseconds")
    fields = [stamp, f"{record.partition}:{record.offset}", headers.get("ce_tenant", "-")]
    try:
        event = json.loads(value)
        fields += [event["event_type"], event["event_source"], event["event_payload"]["operation"]]
        fields += [event["entity_id"], event["id"]]
    except (ValueError, KeyError, TypeError):
        fields += [(record.key or b"").decode(errors="replace"), headers.get("reason", "")]
    return "  ".join(fields)
