"""`events install|up|down|status|reset`: the local stack from outside, through its state file."""

import json
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from cli import behind, stack_settings, supervision
from cli.answers import complain, fail
from cli.endpoints import ELSEWHERE, require_ports
from cli.options import HOME, PORT_BASE, HomeOption, PortBaseOption
from cli.ports import require_free_ports
from cli.supervision import STOP_TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.state import State

console = Console(stderr=True)

NOT_RUNNING = 3


def install(
    title: Annotated[str, typer.Option(hidden=True)] = "jars of Kafka and ElasticMQ",
) -> None:
    """Download the local servers' jars, check each against its sha256, have each server run once."""
    from local import jars, learned

    todo = jars.missing()
    if todo:
        _with_bar(title, jars.install(todo), len(todo))
    if unlearned := learned.missing():
        with ThreadPoolExecutor() as threads:
            learning = threads.map(learned.learn, unlearned)
            _with_bar("first run of the local servers", learning, len(unlearned))


def _with_bar(title: str, steps: "Iterator[object]", total: int) -> None:
    """Take all `steps`, shown on a terminal. Exits 1 when a jar cannot be had."""
    from local import jars, learned

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    if not console.is_terminal:
        typer.echo(title)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(title, total=total)
        try:
            for _ in steps:
                progress.advance(task)
        except (jars.JarMismatch, OSError) as error:
            fail(f"Not installed: {error}. Run it again: it goes on where it stopped.")
        except learned.NotLearned as error:  # all works without, but starts more slowly
            complain(f"The local servers start more slowly than they could: {error}")


def up(
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
    detach: Annotated[bool, typer.Option(help="Return when everything is ready.")] = False,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="A setting of the services; may be repeated."
        ),
    ] = None,
    removed: Annotated[
        list[str] | None, typer.Option("--unset", metavar="NAME", help="Back to the default.")
    ] = None,
) -> None:
    """Start the local stack; Ctrl-C stops it, with --detach `events down` does.

    Settings (`events settings` lists them) are kept in the home until they are unset or it is reset;
    EVENTS_ variables of the shell are not taken.

    \b
    events up --set EVENTS_ACK_TIMEOUT_S=2 --set EVENTS_TABLES__RETENTION_DAYS=90
    events up --unset EVENTS_ACK_TIMEOUT_S
    """
    from local import jars, settings, stack, state

    home = home.resolve()
    already = _running(home)
    wanted = stack_settings.wanted(home, assignments or [], removed or [])
    if already is not None:
        require_ports(home, already.port_base, port_base)
        if settings.shown(wanted) != already.settings:
            fail(f"It runs already, with other settings. Stop it first: events down --home {home}")
        console.print(f"It runs already, in {home}.")
        show(already)
        return
    if jars.missing():
        fail("The local servers are not installed. Run `events install` (or `make setup`).")
    for name in state.stop_orphans(home):
        console.print(f"ended {name}, left over from a stack whose supervisor died")
    port_base = port_base or stack.PORT_BASE
    require_free_ports(port_base)
    supervisor = supervision.launch(home, port_base, wanted)
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
        nothing = f"Nothing runs in {home}{ELSEWHERE}."
        console.print(f"Ended {', '.join(left)}." if left else nothing, soft_wrap=True)
        return
    require_ports(home, current.port_base, port_base)
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
    """Show what listens where, how far view and delivery are; exit code 3 when nothing runs."""
    home = home.resolve()
    current = _running(home)
    if current is None:
        kept = stack_settings.kept(home)
        if as_json:
            typer.echo(json.dumps({"phase": "stopped", "processes": {}, "settings": kept}))
        else:
            complain(f"Nothing runs in {home}. Start it: events up --home {home}{ELSEWHERE}.")
            stack_settings.show(kept)
        raise typer.Exit(NOT_RUNNING)
    require_ports(home, current.port_base, port_base)
    standing = behind.ask(home)
    if as_json:
        typer.echo(json.dumps(current.public() | {"behind": standing}))
        return
    show(current)
    if standing is None:
        complain("How far view and delivery are is not known.")
    else:
        for name in ("view", "delivery"):
            typer.echo(behind.line(name, standing[name]))


def show(current: "State") -> None:
    """The table of what listens where, and a first command."""
    table = Table("", "listens on", "process", "state")
    for name, process in current.public()["processes"].items():
        address = current.endpoints.get(name, "")
        color = "green" if process["state"] == "running" else "yellow"
        table.add_row(name, address, str(process["pid"]), f"[{color}]{process['state']}[/]")
    Console().print(table)
    stack_settings.show(current.settings)
    Console().print("Try it:  events post examples/event.json")
    if "console" in current.endpoints:
        Console().print(f"Look:    {current.endpoints['console']}")


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
