"""`events install|up|down|status|reset`: the local stack from outside, through its state file."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from cli.options import HOME, PORT_BASE, HomeOption, PortBaseOption

console = Console(stderr=True)

START_TIMEOUT_S = 150.0
STOP_TIMEOUT_S = 90.0
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
            console.print(f"[red]Not installed:[/] {error}")
            raise typer.Exit(1) from None


def up(
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
    detach: Annotated[bool, typer.Option(help="Return when everything is ready.")] = False,
) -> None:
    """Start the local stack; Ctrl-C stops it, with --detach `events down` does."""
    from local import jars, state

    home = home.resolve()
    if (already := state.running(home)) is not None:
        console.print(f"It runs already, in {home}.")
        show(already)
        return
    if jars.missing():
        _fail("The local servers are not installed. Run `events install` (or `make setup`).")
    for name in state.stop_orphans(home):
        console.print(f"ended {name}, left over from a stack whose supervisor died")
    _require_free_ports(port_base)
    (home / "logs").mkdir(parents=True, exist_ok=True)
    (home / "state.json").unlink(missing_ok=True)
    with (home / "logs" / "supervisor.log").open("ab") as log:
        argv = [sys.executable, "-m", "local.supervisor", "--home", str(home)]
        argv += ["--port-base", str(port_base)]
        supervisor = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    interrupted = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _watch_start(home, supervisor)
        show(state.load(home))
        if not detach:
            console.print("Ctrl-C stops it.")
            supervisor.wait()
    except KeyboardInterrupt:
        _stop(home, supervisor)
    finally:
        signal.signal(signal.SIGTERM, interrupted)


def _watch_start(home: Path, supervisor: "subprocess.Popen[bytes]") -> None:
    """Show what is ready until all is. Exits 1 with the reason when the start failed."""
    from local import state

    began = time.monotonic()
    with Live(console=console, refresh_per_second=8, transient=True) as live:
        while True:
            current = state.load(home)
            live.update(_progress(current, time.monotonic() - began))
            if current is not None and current.phase == "running":
                return
            if supervisor.poll() is not None:
                break
            if time.monotonic() - began > START_TIMEOUT_S:
                supervisor.terminate()
                supervisor.wait(STOP_TIMEOUT_S)
                break
            time.sleep(0.1)
    current = state.load(home)
    reason = current.error if current is not None else ""
    _fail(f"The stack did not start. {reason or f'See {home}/logs/supervisor.log.'}")


def _progress(current: "object | None", seconds: float) -> Table:
    from local.state import State

    table = Table.grid(padding=(0, 2))
    table.add_row(f"starting, {seconds:.0f} s", "")
    if isinstance(current, State):
        for name, process in current.processes.items():
            mark = (
                "[green]ready[/]" if process.state == "running" else f"[yellow]{process.state}[/]"
            )
            table.add_row(f"  {name}", mark)
    return table


def _stop(home: Path, supervisor: "subprocess.Popen[bytes]") -> None:
    with console.status("stopping"):
        supervisor.terminate()
        try:
            supervisor.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            _fail(f"It does not stop; process {supervisor.pid} supervises it.")
    console.print(f"Stopped. Everything is kept in {home}; `events reset` empties it.")


def _require_free_ports(port_base: int) -> None:
    from local.stack import Ports

    for name, port in Ports(port_base).by_name.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                _fail(
                    f"Port {port} for {name} is taken{_holder(port)}. Stop that, or choose other"
                    f" ports: events up --port-base {port_base + 100}"
                )


def _holder(port: int) -> str:
    import psutil

    try:
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    except psutil.Error:
        return ""
    return ""


def down(home: HomeOption = HOME, port_base: PortBaseOption = PORT_BASE) -> None:
    """Stop the local stack; its state is kept."""
    import psutil

    from local import state

    home = home.resolve()
    current = state.running(home)
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
            _fail(f"It does not stop; process {supervisor.pid} supervises it.")
    console.print("Stopped.")


def status(
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show what listens where; exit code 3 when nothing runs."""
    from local import state

    current = state.running(home.resolve())
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


def show(current: "object | None") -> None:
    """The table of what listens where, and a first command."""
    from local.state import State

    if not isinstance(current, State):
        return
    table = Table("", "listens on", "process", "state")
    for name, process in current.public()["processes"].items():
        address = current.endpoints.get(name, "")
        color = "green" if process["state"] == "running" else "yellow"
        table.add_row(name, address, str(process["pid"]), f"[{color}]{process['state']}[/]")
    Console().print(table)
    Console().print("Try it:  events post examples/event.json")


def reset(
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete all events, queues, keys and logs of the local stack."""
    from local import state

    home = home.resolve()
    if state.running(home) is not None:
        _fail(f"It runs. Stop it first: events down --home {home}")
    state.stop_orphans(home)
    if not home.exists():
        console.print("There is nothing to delete.")
        return
    if not (home / "state.json").exists():
        _fail(f"{home} is no home of a stack: it has no state.json. Nothing was deleted.")
    if not yes:
        typer.confirm(f"Delete everything in {home}?", abort=True)
    shutil.rmtree(home)
    console.print("Deleted.")


def _fail(message: str) -> None:
    console.print(message, style="red", markup=False, highlight=False)
    raise typer.Exit(1)
