"""`events rebuild`: ClickHouse's table anew from the log, without downtime."""

from typing import Annotated

import typer

from cli.options import HOME, PORT_BASE, HomeOption, PortBaseOption


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
    from cli.servers import operator, servers
    from processors.upkeep.commands import rebuild as run

    by = operator(lambda: servers(home, port_base))
    raise typer.Exit(run(by, yes=yes, keep_old=keep_old, as_json=as_json))
