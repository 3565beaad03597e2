"""Where the commands look for the servers, and what they say when they find none."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.endpoints import endpoints
from cli.main import app
from local.stack import Ports

NAMES = ("api", "clickhouse", "kafka", "issuer")


def test_without_a_state_file_the_ports_count_from_the_base(tmp_path: Path) -> None:
    found, expected = endpoints(tmp_path, 9900), Ports(9900).endpoints
    assert {name: getattr(found, name) for name in NAMES} == {
        name: expected[name] for name in NAMES
    }


def test_the_state_file_comes_before_the_port_base(tmp_path: Path) -> None:
    named = {name: f"http://other/{name}" for name in NAMES}
    (tmp_path / "state.json").write_text(json.dumps({"endpoints": named}))
    assert endpoints(tmp_path, 9900).api == "http://other/api"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"endpoints": 1}', '{"endpoints": {}}'])
def test_a_damaged_state_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.json").write_text(text)
    result = CliRunner().invoke(app, ["token", "--home", str(tmp_path)])
    assert result.exit_code == 1
    assert f"{tmp_path}/state.json cannot be read. Start the stack anew" in result.stderr


def test_without_a_client_secret_it_says_how_to_get_one(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["token", "--home", str(tmp_path)])
    assert result.exit_code == 1
    assert f"Start the stack: events up --home {tmp_path}" in result.stderr


def test_the_command_starts_without_loading_any_client() -> None:
    heavy = "{'httpx', 'aiokafka', 'boto3', 'chdb', 'jwt', 'pydantic'}"
    probe = f"import sys, cli.main; print(*sorted({heavy} & sys.modules.keys()))"
    loaded = subprocess.run([sys.executable, "-c", probe], check=True, capture_output=True)
    assert loaded.stdout.decode().split() == []


@pytest.mark.parametrize("command", ["token", "post", "get", "sql", "tail"])
def test_help_has_an_example_of_the_command(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert result.stdout.count(f"events {command} ") >= 2 or f"$(events {command}" in result.stdout
