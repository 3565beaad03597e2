"""Every subcommand where no stack runs, with wrong arguments and with --help: a line, no traceback."""

import os
import subprocess
from pathlib import Path

import pytest

from bench.servers import free_port_base
from cli.main import app
from tests import forked

ROOT = Path(__file__).parents[2]
NAMES = [
    command.name or command.callback.__name__.replace("_", "-")
    for command in app.registered_commands
    if command.callback
]
ID = "0193a2b4-7c1e-7d3f-8a5b-2f6c9d0e1a2b"
ARGUMENTS = {
    "up": ["--detach"],
    "reset": ["--yes"],
    "erase": [ID, "--yes"],
    "get": [ID],
    "post": [str(ROOT / "examples" / "event.json")],
    "sql": ["SELECT 1"],
    "rebuild": ["--yes"],
    "accept-log": ["new"],
}
NEEDS_NONE = {"settings": 0, "install": 0, "down": 0, "reset": 0, "status": 3}


GROUPED = {
    ("deliveries", "list"): [],
    ("deliveries", "dead"): [],
    ("subscriptions", "list"): [],
    ("subscriptions", "show"): [ID],
    ("subscriptions", "create"): ["-"],
    ("subscriptions", "edit"): [ID, "--disable"],
    ("subscriptions", "delete"): [ID, "--yes"],
    ("subscriptions", "test"): ["-"],
    ("subscriptions", "explain"): [ID],
}


def run(*arguments: str, folder: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    answer = forked.run(
        "cli", arguments,
        timeout_s=120, environment=os.environ | {"COLUMNS": "400"} | variables, folder=folder, stdin="{}",
    )  # fmt: skip
    assert "Traceback" not in answer.stderr + answer.stdout
    return answer


@pytest.mark.parametrize("name", NAMES)
def test_help_and_a_wrong_argument_are_answered(name: str, tmp_path: Path) -> None:
    shown = run(name, "--help", folder=tmp_path)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert f"events {name}" in shown.stdout or f"cli {name}" in shown.stdout
    refused = run(name, "--no-such-option", folder=tmp_path)
    assert refused.returncode == 2
    assert "--no-such-option" in refused.stderr


@pytest.mark.parametrize("name", [name for name in NAMES if name != "up"])
def test_without_a_stack_a_command_says_so(name: str, tmp_path: Path) -> None:
    base = () if name == "install" else ("--port-base", str(free_port_base()))
    answer = run(name, *ARGUMENTS.get(name, []), *base, folder=tmp_path)
    assert answer.returncode == NEEDS_NONE.get(name, answer.returncode or -1), answer.stderr
    assert len(answer.stderr.splitlines()) <= 2, answer.stderr


@pytest.mark.parametrize("name", GROUPED)
def test_a_command_of_a_group_does_as_much(name: tuple[str, str], tmp_path: Path) -> None:
    shown = run(*name, "--help", folder=tmp_path)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert f"events {' '.join(name)}" in shown.stdout  # an example
    answer = run(*name, *GROUPED[name], folder=tmp_path)
    assert answer.returncode == 1
    assert len(answer.stderr.splitlines()) <= 2, answer.stderr


@pytest.mark.parametrize("name", ["status", "down", "token", "post"])
def test_the_folder_that_was_looked_in_is_named_and_how_to_name_another(
    name: str, tmp_path: Path
) -> None:
    answer = run(name, *ARGUMENTS.get(name, []), folder=tmp_path)
    assert f"{tmp_path}/.events" in answer.stderr
    assert "name its folder: --home DIR or EVENTS_HOME" in answer.stderr


@pytest.mark.parametrize("name", [name for name in NAMES if name != "install"])
def test_a_file_is_no_home(name: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    answer = run(name, *ARGUMENTS.get(name, []), "--home", str(file), folder=tmp_path)
    assert answer.returncode == 2
    assert f"'{file}' is a file" in answer.stderr


@pytest.mark.parametrize("home", ["/proc", "/proc/there", "file/below"])
def test_a_home_that_cannot_be_written_is_named(home: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    answer = run(
        "up", "--detach", "--home", home, "--port-base", str(free_port_base()), folder=tmp_path
    )
    assert answer.returncode == 1
    assert f"{tmp_path / home} cannot hold the stack's state" in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (("--set", "EVENTS_ACK_TIMEOUT_SS=2"), "Did you mean EVENTS_ACK_TIMEOUT_S?"),
        (("--set", "EVENTS_ACK_TIMEOUT_S=soon"), "EVENTS_ACK_TIMEOUT_S: Input should be"),
        (("--set", "EVENTS_ACK_TIMEOUT_S"), "write NAME=VALUE"),
        (("--set", "EVENTS_HTTP__PORT=1"), "EVENTS_HTTP__PORT: the stack sets this itself."),
        (("--set", "EVENTS_HOME=x"), "EVENTS_HOME: no service reads this."),
        (("--set", "PATH=x"), "PATH: no setting has this name."),
        (("--unset", "EVENTS_ACK_TIMEOUT_S"), "EVENTS_ACK_TIMEOUT_S: it is not set"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_before_anything_starts(
    option: tuple[str, str], said: str, tmp_path: Path
) -> None:
    answer = run("up", "--detach", *option, folder=tmp_path)
    assert answer.returncode == 2
    assert said in answer.stderr
    assert answer.stderr.endswith("\nNothing was started.\n")
    assert not (tmp_path / ".events").exists()


def test_a_command_that_takes_servers_from_the_environment_refuses_a_misspelt_one(
    tmp_path: Path,
) -> None:
    answer = run("audit", folder=tmp_path, EVENTS_KAFKA__BOOTSTRAP_SERVER="broker:9092")
    assert answer.returncode == 2
    assert "Did you mean EVENTS_KAFKA__BOOTSTRAP_SERVERS?" in answer.stderr
