"""`events subscriptions identity|confirm|check`: what is asked of the API, what is shown, and exit codes."""

import io
from typing import Any

import httpx
import pytest
from rich.console import Console
from typer.testing import CliRunner

from cli import ownership
from cli.main import app

FOUND = {
    "check": "exists",
    "state": "passed",
    "detail": "the queue is there",
    "code": "",
}
FAILED = {**FOUND, "check": "may_send", "state": "failed", "code": "AccessDenied"}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the commands ask; a table stands for the API."""
    calls: list[tuple[Any, ...]] = []
    answers: dict[str, Any] = {
        "/api/v1/delivery-identity": {
            "principal": None,
            "external_id": "e1",
            "trust_policy": None,
        },
        "/api/v1/subscriptions/x/confirm": {"id": "x", "enabled": True},
        "/api/v1/subscriptions/x/check": {
            "passed": True,
            "destination": [FOUND],
            "dead_letter": None,
        },
        "/api/v1/subscriptions/y/check": {
            "passed": False,
            "destination": [FOUND],
            "dead_letter": [FAILED],
        },
    }

    def ask(where: Any, tenant: str, method: str, path: str, **request: Any) -> httpx.Response:
        calls.append((tenant, method, path, request.get("json")))
        return httpx.Response(200, json=answers[path])

    monkeypatch.setattr(ownership, "ask", ask)
    monkeypatch.setattr(ownership, "endpoints", lambda home, port_base: None)
    return calls


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["subscriptions", *arguments, "--tenant", "acme"])


def test_each_asks_the_api_and_prints_its_answer(asked: list[tuple[Any, ...]]) -> None:
    assert '"external_id": "e1"' in run("identity").stdout
    assert run("confirm", "x", "t").exit_code == 0
    assert run("check", "x", "--send-test").exit_code == 0
    base = "/api/v1/subscriptions/x"
    assert asked == [
        ("acme", "GET", "/api/v1/delivery-identity", None),
        ("acme", "POST", f"{base}/confirm", {"token": "t"}),
        ("acme", "POST", f"{base}/check", {"send_test": True}),
    ]


def test_a_check_that_finds_something_wrong_is_exit_code_1(asked: list[tuple[Any, ...]]) -> None:
    done = run("check", "y")
    assert done.exit_code == 1
    assert "AccessDenied" in done.stdout


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [
        (
            ownership._findings_table({"destination": [FOUND], "dead_letter": [FAILED]}),
            ["dead_letter", "may_send", "failed", "AccessDenied"],
        ),
        (
            ownership._identity_lines({"external_id": "e1", "trust_policy": None}),
            ["e1", "EVENTS_DESTINATIONS__PRINCIPAL"],
        ),
        (
            ownership._identity_lines({"external_id": "e1", "trust_policy": {"Version": "v"}}),
            ["trust policy", '"Version": "v"'],
        ),
    ],
)
def test_a_person_is_shown_what_was_found(drawn: Any, expected: list[str]) -> None:
    console = Console(file=io.StringIO(), width=200)
    console.print(drawn)
    shown = console.file.getvalue()  # type: ignore[attr-defined]  # it is a StringIO
    for text in expected:
        assert text in shown
