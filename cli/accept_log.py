"""`events accept-log`: what a topic is that was made anew, which only a person can say."""

import asyncio
import logging
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from cli.answers import complain
from cli.audit import NOT_DONE, WRONG
from cli.options import HOME, PORT_BASE, HomeOption, PortBaseOption

if TYPE_CHECKING:
    from cli.servers import Servers
    from processors.consume.replay import Progress


class Kind(StrEnum):
    """What the topic is."""

    NEW = "new"
    COPY = "copy"


def accept_log(
    kind: Annotated[Kind, typer.Argument(help="new: it begins anew; copy: restored from a copy.")],
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Say what the topic `events` is after it was deleted and made anew; until then nothing is stored.

    new: its events are stored beside those of the old log. copy: it holds the events of the old log at
    the same offsets, which is checked first. Start the processors afterwards.

    Exit code 0: accepted; 1: it is no copy; 2: it could not be done.
    """
    from cli.offsets_bar import OffsetsBar
    from cli.servers import servers
    from processors.consume.step import Transient
    from processors.upkeep.acceptance import NotACopy
    from processors.upkeep.audit import Unprovable
    from service.settings import BadSettings

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what matters is raised
    try:
        with OffsetsBar() as bar:
            number = asyncio.run(_accept(kind, servers(home, port_base), bar))
    except NotACopy as error:
        complain(f"It is no copy of the log that the table was made from. {error}")
        raise typer.Exit(WRONG) from None
    except (BadSettings, Unprovable, Transient) as error:
        complain(f"Not accepted. {error}")
        raise typer.Exit(NOT_DONE) from None
    typer.echo(f"Accepted as log {number}.")


async def _accept(kind: Kind, where: "Servers", bar: "Progress") -> int:
    from processors.consume.replay import Log
    from processors.upkeep.acceptance import accept
    from processors.upkeep.database import Database
    from service.clickhouse import ClickHouse

    clickhouse = ClickHouse(where.clickhouse, where.cluster)
    try:
        async with Log.connected(where.kafka) as log:
            return await accept(kind.value, log, Database(clickhouse, where.clickhouse), bar)
    finally:
        await clickhouse.close()
