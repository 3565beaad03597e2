"""`events install|up|down|status|reset`: the local stack from outside, through its state file."""

import json
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from cli import supervision
from cli.answers import fail
from cli.options import HOME, PORT_BASE, HomeOption, PortBaseOption
from cli.ports import require_free_ports
from cli.supervision import STOP_TIMEOUT_S

if TYPE_CHECKING:
    from local.state import State

console = Console(stderr=True)

NOT_RUNNING = 3


def install() -> None:
    """Download the local servers' jars and check each against its sha256."""
    from local import jars

    todo = jars.missing()
    if not todo:
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("jars of Kafka and ElasticMQ", total=len(todo))
        try:
            for _ in jars.install(todo):
                progress.advance(task)
        except (jars.JarMismatch, OSError) as error:
            fail(f"Not installed: {error}. Run it again: it goes on where it stopped.")


def up(
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
    detach: Annotated[bool, typer.Option(help="Return when everything is ready.")] = False,
) -> None:
    """Start the local stack; Ctrl-C stops it, with --detach `events down` does."""
    from local import jars, state

    home = home.resolve()
    if (already := _running(home)) is not None:
        console.print(f"It runs already, in {home}.")
        show(already)
        return
    if jars.missing():
        fail("The local servers are not installed. Run `events install` (or `make setup`).")
    for name in state.stop_orphans(home):
        console.print(f"ended {name}, left over from a stack whose supervisor died")
    require_free_ports(port_base)
    supervisor = supervision.launch(home, port_base)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        show(supervision.watch_start(home, supervisor))
        if not detach:
            console.print("Ctrl-C stops it.")
            supervision.follow(home, supervisor)
    except KeyboardInterrupt:
        supervision.stop(home, supervisor)


def down(home: HomeOption = HOME, port_base: PortBaseOption = PORT_BASE) -> None:
    """Stop the local stack; its state is kept."""
    import psutil

    from local import state

    home = home.resolve()
    current = _running(home)
    if current is None:
        left = state.stop_orphans(home)
        console.print(f"Ended {', '.join(left)}." if left else "Nothing runs here.")
        return
    supervisor = current.supervisor.alive()
    if supervisor is not None:
        with console.status("stopping"):
            supervisor.terminate()
            _, alive = psutil.wait_procs([supervisor], timeout=STOP_TIMEOUT_S)
        if alive:
            fail(f"It does not stop; process {supervisor.pid} supervises it.")
    console.print("Stopped.")


def status(
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show what listens where; exit code 3 when nothing runs."""
    current = _running(home.resolve())
    if current is None:
        if as_json:
            typer.echo(json.dumps({"phase": "stopped", "processes": {}}))
        else:
            console.print(f"Nothing runs in {home}. Start it: events up --home {home}")
        raise typer.Exit(NOT_RUNNING)
    if as_json:
        typer.echo(json.dumps(current.public()))
    else:
        show(current)


def show(current: "State") -> None:
    """The table of what listens where, and a first command."""
    table = Table("", "listens on", "process", "state")
    for name, process in current.public()["processes"].items():
        address = current.endpoints.get(name, "")
        color = "green" if process["state"] == "running" else "yellow"
        table.add_row(name, address, str(process["pid"]), f"[{color}]{process['state']}[/]")
    Console().print(table)
    Console().print("Try it:  events post examples/event.json")


def _running(home: Path) -> "State | None":
    """The state of the stack that runs in `home`. Exits 1 when that cannot be known."""
    from local import state

    try:
        return state.running(home)
    except state.Unreadable as error:
        fail(str(error))


def reset(
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete all events, queues, keys and logs of the local stack."""
    from local import state

    home = home.resolve()
    if _running(home) is not None:
        fail(f"It runs. Stop it first: events down --home {home}")
    state.stop_orphans(home)
    if not home.exists():
        console.print("There is nothing to delete.")
        return
    if not (home / "state.json").exists():
        fail(f"{home} is no home of a stack: it has no state.json. Nothing was deleted.")
    if not yes:
        typer.confirm(f"Delete everything in {home}?", abort=True)
    shutil.rmtree(home)
    console.print("Deleted.")
