"""The version stands in pyproject.toml; the command and the documents say the same."""

import json
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app

ROOT = Path(__file__).parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def test_the_command_prints_it() -> None:
    assert CliRunner().invoke(app, ["--version"]).stdout == f"events {VERSION}\n"


@pytest.mark.parametrize("name", ["openapi.json", "asyncapi.json"])
def test_a_document_has_it(name: str) -> None:
    assert json.loads((ROOT / "contracts" / name).read_text())["info"]["version"] == VERSION
