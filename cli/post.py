"""`events post`: one event or many, from a file or standard input."""

import asyncio
import itertools
import time
from typing import Annotated

import typer

from cli.answers import fail
from cli.endpoints import endpoints
from cli.event_file import EventFile, read_events
from cli.options import HOME, PORT_BASE, TENANT, HomeOption, PortBaseOption, TenantOption

INTERRUPTED = 130


def post(
    file: Annotated[
        typer.FileBinaryRead,
        typer.Argument(help="A JSON event, an array of them or NDJSON; - for standard input."),
    ],
    tenant: TenantOption = TENANT,
    at_once: Annotated[int, typer.Option(min=1, max=256, help="Requests at the same time.")] = 16,
    retry_for_s: Annotated[
        float, typer.Option("--retry-for", min=0, help="Seconds to go on trying with one event.")
    ] = 60,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Post events; exit code 1 when any of them was not accepted.

    \b
    events post examples/event.json        one event; prints what the API answers
    events post events.ndjson              many, with a progress bar and a summary
    zcat old.gz | events post -            from standard input
    events post --at-once 1 events.ndjson  one by one, in order
    """
    from cli.posting import Report, post_all, post_one

    where, name = endpoints(home, port_base), getattr(file, "name", "standard input")
    try:
        events, total = read_events(file)
    except ValueError as error:
        fail(f"{name}: {error}")
    head = list(itertools.islice(events, 2))
    if not head:
        fail(f"{name} holds no event.")
    if len(head) == 1:
        asyncio.run(post_one(where, tenant, head[0], retry_for_s))
        return
    every, report = EventFile(itertools.chain(head, events), total), Report()
    began_s = time.monotonic()
    try:
        asyncio.run(post_all(where, tenant, every, at_once, retry_for_s, report))
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    finally:
        typer.echo(report.summary(time.monotonic() - began_s), err=True)
    if report.stopped:
        fail(f"Stopped at {report.stopped}. What follows it was not sent. See: events status")
    if report.rejected:
        raise typer.Exit(1)
