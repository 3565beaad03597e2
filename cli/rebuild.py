"""`events rebuild`: ClickHouse's table anew from the log, without downtime."""

import asyncio
import logging
from typing import TYPE_CHECKING, Annotated

import typer

from cli.answers import complain
from cli.audit import INTERRUPTED, NOT_DONE, WRONG, show
from cli.options import HOME, PORT_BASE, HomeOption, PortBaseOption

if TYPE_CHECKING:
    from cli.servers import Servers
    from processors.consume.replay import Progress
    from processors.upkeep.rebuild import Outcome


def rebuild(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    keep_old: Annotated[
        bool, typer.Option("--keep-old", help="Rename the old table instead of dropping it.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the audit for programs.")] = False,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Replay the log into a fresh table and swap it in, while posting and reading go on.

    Events that the log does not keep any more are taken over from the old table. The new one is
    proven against the log and compared with the old one before it is swapped in. Ended before the end,
    by whatever, it goes on when it is run again.

    Exit code 0: rebuilt and proven; 1: it would not be as it should be, the old table is kept; 2: it
    could not be done yet. The servers are found as `events audit` finds them.
    """
    from cli.offsets_bar import OffsetsBar
    from cli.servers import servers
    from processors.consume.step import Halt, Transient
    from processors.upkeep.audit import Unprovable
    from processors.upkeep.swap import Refused
    from service.settings import BadSettings

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what matters is raised
    try:
        where = servers(home, port_base)
        if not yes:
            typer.confirm(f"Replace the table of events in {where.clickhouse.url}?", abort=True)
        with OffsetsBar() as bar:
            account, swapped, kept = asyncio.run(_rebuild(where, keep_old, bar))
    except (BadSettings, Unprovable, Refused, Halt) as error:
        complain(f"Not rebuilt. {error}")
        raise typer.Exit(NOT_DONE) from None
    except Transient as error:
        complain(f"Not rebuilt yet. {error}\nRun it again: it goes on where it stopped.")
        raise typer.Exit(NOT_DONE) from None
    except KeyboardInterrupt:
        complain("Not rebuilt yet. Run it again: it goes on where it stopped.")
        raise typer.Exit(INTERRUPTED) from None
    show(account, as_json)
    if not swapped:
        complain(
            f"Nothing was swapped: the table in use stays. The fresh one is kept as {kept}; look at it,"
            " or drop it to begin anew."
        )
        raise typer.Exit(WRONG)
    if kept:
        typer.echo(f"The old table is kept: {kept}.", err=True)
    if not account.proven:
        complain(
            "If all that is missing cannot be had, drop the old table and run it again to end this."
        )
        raise typer.Exit(WRONG)


async def _rebuild(where: "Servers", keep_old: bool, bar: "Progress") -> "Outcome":
    from processors.consume.replay import Log
    from processors.upkeep.acceptance import number_of
    from processors.upkeep.database import Database
    from processors.upkeep.rebuild import Rebuild
    from service.clickhouse import ClickHouse

    clickhouse = ClickHouse(where.clickhouse, where.cluster)
    try:
        async with Log.connected(where.kafka) as log:
            database = Database(clickhouse, where.clickhouse)
            number = await number_of(await log.topic_id(), log, database)
            return await Rebuild(log, number, database)(keep_old=keep_old, progress=bar)
    finally:
        await clickhouse.close()
