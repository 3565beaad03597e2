"""`events audit`: is every record of the log in ClickHouse, once?"""

import asyncio
import json
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cli.answers import complain
from cli.options import HOME, PORT_BASE, HomeOption, PortBaseOption

if TYPE_CHECKING:
    from cli.servers import Servers
    from processors.consume.replay import Progress
    from processors.upkeep.account import Account

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
    """Prove that ClickHouse says what the log says: each event at its place once, rejected, or erased.

    Both sides are read and compared by digests over position, tenant, id and every field. Exit code
    0: proven; 1: something is missing, altered, double or there although it was erased, and named;
    2: it could not be done. The servers are those of EVENTS_KAFKA__... and EVENTS_CLICKHOUSE__...,
    else those of the local stack.

    \b
    events audit
    events audit --json | jq .missing
    """
    from cli.offsets_bar import OffsetsBar
    from cli.servers import servers
    from processors.consume.step import Halt, Transient
    from processors.upkeep.audit import Unprovable
    from service.settings import BadSettings

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what matters is raised
    try:
        with OffsetsBar() as bar:
            account = asyncio.run(_audit(servers(home, port_base), to_end, bar))
    except (BadSettings, Unprovable, Halt, Transient) as error:
        complain(f"Not proven. {error}")
        raise typer.Exit(NOT_DONE) from None
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    show(account, as_json)
    if not account.proven:
        raise typer.Exit(WRONG)


async def _audit(where: "Servers", to_end: bool, bar: "Progress") -> "Account":
    from processors.consume.replay import Log
    from processors.upkeep.acceptance import number_of
    from processors.upkeep.audit import Audit
    from processors.upkeep.database import Database
    from service.clickhouse import ClickHouse

    clickhouse = ClickHouse(where.clickhouse, where.cluster)
    try:
        async with Log.connected(where.kafka) as log:
            database = Database(clickhouse, where.clickhouse)
            number = await number_of(await log.topic_id(), log, database)
            compare = Audit(log, database.coverage(number), database.erasures())
            return await compare(to_end=to_end, progress=bar)
    finally:
        await clickhouse.close()


def show(account: "Account", as_json: bool) -> None:
    """Print the account: what is wrong with its position, then the sums."""
    if as_json:
        typer.echo(json.dumps(_document(account)))
        return
    for kind, positions in account.wrong.items():
        for partition, offset, detail in positions[:LINES_MAX]:
            typer.echo(f"{kind}  partition {partition} offset {offset}: {detail}")
        if account.counts[kind] > LINES_MAX:
            typer.echo(f"{kind}  {account.counts[kind] - LINES_MAX:,} more")
    reached = "the log's end" if account.to_end else "what the materializer has committed"
    sums = ", ".join(f"{count:,} {name}" for name, count in account.counts.items() if count)
    verdict = "Proven" if account.proven else "NOT as it should be"
    typer.echo(f"{verdict}: {account.offsets:,} offsets up to {reached}: {sums or 'none'}.")
    typer.echo(f"Log {account.topic_id}, at {_utc(account.at_s)}:")
    for each in account.ranges:
        digest = account.digests.get(each.partition, 0)
        typer.echo(f"  partition {each.partition}: {each.first}-{each.end}, digest {digest:016x}")
    for number, rows in account.others.items():
        typer.echo(f"  and {rows:,} rows of log {number}, which Kafka does not have any more")


def _utc(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="seconds")


def _document(account: "Account") -> dict[str, object]:
    return {
        "proven": account.proven,
        "topic_id": str(account.topic_id),
        "at": _utc(account.at_s),
        "up_to": "end" if account.to_end else "committed",
        "offsets": account.offsets,
        "counts": account.counts,
        **{kind: [each._asdict() for each in found] for kind, found in account.wrong.items()},
        "ranges": [
            each._asdict() | {"digest": f"{account.digests.get(each.partition, 0):016x}"}
            for each in account.ranges
        ],
        "other_logs": account.others,
    }
