"""`events post`: one event or many, from a file or standard input, safely repeated.

Every event goes with an Idempotency-Key of its own, so a repeat after a lost answer counts once.
"""

import asyncio
import itertools
import json
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, TextIO

import httpx
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli.endpoints import TIMEOUT_S, Endpoints, console, endpoints, fail, unreachable
from cli.options import HOME, PORT_BASE, TENANT, HomeOption, PortBaseOption, TenantOption

TRIES = 6
SHOWN = 20


@dataclass
class Report:
    """What became of the events; `refused` by their number in the input, from 1."""

    accepted: int = 0
    repeated: int = 0
    refused: list[str] = field(default_factory=list)


def post(
    file: Annotated[
        typer.FileText,
        typer.Argument(help="JSON event, JSON array or NDJSON; - for standard input."),
    ],
    tenant: TenantOption = TENANT,
    at_once: Annotated[int, typer.Option(min=1, max=256, help="Requests at the same time.")] = 16,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Post events; exit code 1 when any was not accepted.

    events post examples/event.json            one event, prints the answer
    events post - < events.ndjson              many, with a progress bar
    """
    where = endpoints(home, port_base)
    try:
        bodies = read_events(file)
        first, second = next(bodies, None), next(bodies, None)
        if first is None:
            fail(f"{file.name} holds no event.")
        if second is None:
            _post_one(where, tenant, first)
            return
        report = asyncio.run(
            _post_all(
                where, tenant, itertools.chain((first, second), bodies), _count(file), at_once
            )
        )
    except ValueError as error:
        fail(f"{file.name}: {error}")
    except httpx.TransportError as error:
        unreachable(where.api, error)
    console.print(
        f"{report.accepted:,} accepted, {len(report.refused):,} refused, {report.repeated:,} repeated"
    )
    for line in report.refused[:SHOWN]:
        console.print(line, style="red", markup=False, highlight=False, soft_wrap=True)
    if report.refused:
        raise typer.Exit(1)


def read_events(file: TextIO) -> Iterator[str]:
    """The events in `file` as JSON texts: NDJSON line by line, anything else as one document.

    Raises `ValueError` when it is neither.
    """
    first = file.readline()
    while first and not first.strip():
        first = file.readline()
    try:
        json.loads(first)
        one_per_line = not first.lstrip().startswith("[")
    except ValueError:
        one_per_line = False
    if one_per_line:
        yield first
        yield from (line for line in file if line.strip())
        return
    text = first + file.read()
    if not text.strip():
        return
    document = json.loads(text)
    for event in document if isinstance(document, list) else [document]:
        yield json.dumps(event, ensure_ascii=False)


def _count(file: TextIO) -> int | None:
    """How many lines a file on disk has; None for a stream."""
    if file is sys.stdin or not file.name or file.name.startswith("<"):
        return None
    with open(file.name, "rb") as lines:
        return sum(1 for line in lines if line.strip())


def _post_one(where: Endpoints, tenant: str, body: str) -> None:
    async def once() -> httpx.Response:
        async with httpx.AsyncClient(headers=where.headers(tenant), timeout=TIMEOUT_S) as client:
            return await _send(client, where, body, Report())

    answer = asyncio.run(once())
    if answer.status_code != httpx.codes.CREATED:
        fail(_why(answer))
    typer.echo(json.dumps(answer.json(), indent=2, ensure_ascii=False))


async def _post_all(
    where: Endpoints, tenant: str, bodies: Iterator[str], total: int | None, at_once: int
) -> Report:
    report = Report()
    numbered = enumerate(bodies, 1)
    columns = (TextColumn("posting"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    limits = httpx.Limits(max_connections=at_once)
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=total)
        async with httpx.AsyncClient(
            headers=where.headers(tenant), timeout=TIMEOUT_S, limits=limits
        ) as client:

            async def worker() -> None:
                for number, body in numbered:
                    answer = await _send(client, where, body, report)
                    if answer.status_code == httpx.codes.CREATED:
                        report.accepted += 1
                    else:
                        report.refused.append(f"event {number}: {_why(answer)}")
                    progress.advance(task)

            try:
                async with asyncio.TaskGroup() as tasks:
                    for _ in range(at_once):
                        tasks.create_task(worker())
            except* httpx.TransportError as lost:
                raise lost.exceptions[0] from None
    return report


async def _send(
    client: httpx.AsyncClient, where: Endpoints, body: str, report: Report
) -> httpx.Response:
    """One event, repeated while the answer says that it may be; the last answer."""
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    for attempt in itertools.count(1):
        pause_s = 0.25 * 2**attempt
        try:
            answer = await client.post(
                f"{where.api}/api/v1/events", content=body.encode(), headers=headers
            )
            if answer.status_code not in (429, 503) or attempt == TRIES:
                return answer
            pause_s = max(pause_s, float(answer.headers.get("Retry-After", 0)))
        except httpx.TransportError:
            if attempt == TRIES:
                raise
        report.repeated += 1
        await asyncio.sleep(pause_s)
    raise AssertionError("unreachable: the loop returns or raises")


def _why(answer: httpx.Response) -> str:
    try:
        problem: dict[str, Any] = answer.json()
    except ValueError:
        return f"{answer.status_code} {answer.text[:200]}"
    named = "; ".join(f"{e['pointer']} {e['detail']}" for e in problem.get("errors", [])[:3])
    return f"{answer.status_code} {problem.get('detail', '')}" + (f" {named}" if named else "")
