"""Clients that strangers generate from the documents: without a warning, they compile, they fit."""

import json
import os
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jsonschema
import pytest

from contracts.documents.write import HERE as DOCUMENTS
from contracts.drafts import read_draft
from contracts.encoding.parse import parse_event
from query.criteria import parse_search, read_pairs
from tests.clients.conftest import HERE, run


def test_a_typescript_client_of_required_members_alone_compiles(
    node_modules: Path, tmp_path: Path
) -> None:
    shutil.copy(HERE / "client.ts", tmp_path)
    (tmp_path / "node_modules").symlink_to(node_modules)
    generator = node_modules / ".bin" / "openapi-typescript"
    made = run(generator, DOCUMENTS / "openapi.json", "-o", "api.d.ts", cwd=tmp_path)
    assert made.returncode == 0, made.stdout
    assert "warn" not in made.stdout.lower(), made.stdout
    options = "--noEmit --strict --skipLibCheck --target es2022 --module esnext".split()
    compiler = node_modules / ".bin" / "tsc"
    checked = run(compiler, *options, "--moduleResolution", "bundler", "client.ts", cwd=tmp_path)
    assert checked.returncode == 0, checked.stdout


@pytest.fixture(scope="module")
def requests(python_generator: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the generated Python client would send, by operation."""
    place = tmp_path_factory.mktemp("client")
    # it formats what it made with the ruff beside it
    path = f"PATH={python_generator}{os.pathsep}{os.environ['PATH']}"
    command: list[str | Path] = ["env", path, python_generator / "openapi-python-client"]
    target = ["--meta", "none", "--output-path", "events_client", "--fail-on-warning"]
    source: list[str | Path] = ["--path", DOCUMENTS / "openapi.json"]
    made = run(*command, "generate", *source, *target, cwd=place)
    assert made.returncode == 0, made.stdout
    shutil.copy(HERE / "client.py", place)
    ran = run(python_generator / "python", "-W", "error", "client.py", cwd=place)
    assert ran.returncode == 0, ran.stdout
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def test_a_python_client_is_generated_without_a_warning_and_its_bodies_are_taken(
    requests: dict[str, Any],
) -> None:
    for event in (requests["post"]["json"], *requests["batch"]["json"]):
        assert parse_event(json.dumps(event).encode()).entity_id == "1000144"
    subscription = read_draft(json.dumps(requests["subscribe"]["json"]).encode())
    assert subscription.enabled
    assert subscription.delivery.fairness == "entity"
    assert subscription.delivery.dead_letter is not None


def test_a_python_client_searches_by_attribute(requests: dict[str, Any]) -> None:
    query = urlencode(requests["search"]["params"]).encode()
    assert parse_search(read_pairs(query)).key_attributes == {"correlationId": "4711"}


def test_the_asyncapi_document_is_valid_by_the_official_schema(node_modules: Path) -> None:
    document = json.loads((DOCUMENTS / "asyncapi.json").read_text())
    assert document["asyncapi"] == "3.1.0"
    official = json.loads((node_modules / "@asyncapi/specs/schemas/3.1.0.json").read_text())
    validator = jsonschema.Draft7Validator(official)
    assert list(validator.iter_errors(document)) == []
    for wrong in ({"asyncapi": "3.0.0"}, {"channels": {"events": {"address": 1}}}):
        assert not validator.is_valid(document | wrong)
