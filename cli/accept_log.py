"""`events accept-log`: what a topic is that was made anew, which only a person can say."""

from enum import StrEnum
from typing import Annotated

import typer

from cli.options import HOME, PORT_BASE, HomeOption, PortBaseOption


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
    from cli.servers import operator, servers
    from processors.upkeep.commands import accept_log as run

    raise typer.Exit(run(operator(lambda: servers(home, port_base)), kind.value))
