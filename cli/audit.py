"""`events audit`: is every record of the log in ClickHouse, once?"""

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Annotated

import typer

from cli.answers import complain
from cli.options import HOME, PORT_BASE, HomeOption, PortBaseOption

if TYPE_CHECKING:
    from cli.servers import Servers
    from processors.audit import Account
    from processors.replay import Progress

WRONG = 1
NOT_DONE = 2
INTERRUPTED = 130
LINES_MAX = 20


def audit(
    to_end: Annotated[
        bool,
        typer.Option(
            "--to-end",
            help="Compare up to the log's end, not only up to what the materializer has committed.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Prove that every record of the log is in ClickHouse once, on events.rejected, or was erased.

    Exit code 0: proven; 1: something is missing, double, or there although it was erased, and named;
    2: it could not be done. The servers are those of EVENTS_KAFKA__... and EVENTS_CLICKHOUSE__...,
    else those of the local stack.

    \b
    events audit
    events audit --json | jq .missing
    """
    from cli.offsets_bar import OffsetsBar
    from cli.servers import servers
    from processors.audit import Unprovable
    from processors.step import Transient
    from service.settings import BadSettings

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what matters is raised
    try:
        with OffsetsBar() as bar:
            account = asyncio.run(_audit(servers(home, port_base), to_end, bar))
    except (BadSettings, Unprovable, Transient) as error:
        complain(f"Not proven. {error}")
        raise typer.Exit(NOT_DONE) from None
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    show(account, as_json)
    if not account.proven:
        raise typer.Exit(WRONG)


async def _audit(where: "Servers", to_end: bool, bar: "Progress") -> "Account":
    from processors.audit import audit as compare
    from processors.erasures import Erasures
    from processors.offsets import Offsets
    from processors.replay import Log
    from service.clickhouse import ClickHouse

    log = Log(where.kafka)
    clickhouse = ClickHouse(where.clickhouse, where.cluster)
    try:
        await log.start()
        table = Offsets(clickhouse, where.clickhouse.database)
        erasures = Erasures(clickhouse, where.clickhouse)
        return await compare(log, table, erasures, to_end=to_end, progress=bar)
    finally:
        await log.stop()
        await clickhouse.close()


def show(account: "Account", as_json: bool) -> None:
    """Print the account: what is wrong with its position, then the sums."""
    if as_json:
        typer.echo(json.dumps(_document(account)))
        return
    for name in ("missing", "doubled", "lingering"):
        positions = getattr(account, name)[:LINES_MAX]
        for partition, offset, detail in positions:
            typer.echo(f"{name}  partition {partition} offset {offset}: {detail}")
        if account.counts[name] > len(positions):
            typer.echo(f"{name}  {account.counts[name] - len(positions):,} more")
    reached = "the log's end" if account.to_end else "what the materializer has committed"
    sums = ", ".join(f"{count:,} {name}" for name, count in account.counts.items() if count)
    verdict = "Proven" if account.proven else "NOT as it should be"
    typer.echo(f"{verdict}: {account.offsets:,} offsets up to {reached}: {sums or 'none'}.")


def _document(account: "Account") -> dict[str, object]:
    return {
        "proven": account.proven,
        "up_to": "end" if account.to_end else "committed",
        "offsets": account.offsets,
        "counts": account.counts,
        "missing": [position._asdict() for position in account.missing],
        "doubled": [position._asdict() for position in account.doubled],
        "lingering": [position._asdict() for position in account.lingering],
        "ranges": [each._asdict() for each in account.ranges],
    }
