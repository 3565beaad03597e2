"""Settings as a person meets them: by the name of the variable, at the start, in words."""

import functools
import json
import os
import subprocess
import sys

import pytest

from tests import forked

COMMANDS = ("ingest", "query", "processors materialize", "processors route", "processors setup")
PROGRAMS = (
    *COMMANDS,
    *("processors", "contracts", "cli"),
    *("local.api", "local.clickhouse", "local.issuer", "local.jars", "local.kafka", "local.sqs"),
    "local.supervisor",
)


@functools.cache
def shown(program: str) -> "subprocess.CompletedProcess[str]":
    """What `--help` prints, of a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", *program.split(), "--help"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def run(command: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    module, *arguments = command.split()
    others = {name: text for name, text in os.environ.items() if not name.startswith("EVENTS_")}
    return forked.run(module, arguments, timeout_s=60, environment=others | variables)


def messages(log: str, level: str = "error") -> list[str]:
    """The messages of the log's lines; fails on anything that is no log line, as a traceback."""
    lines = [json.loads(line) for line in log.splitlines()]
    return [line["message"] for line in lines if line["level"] == level]


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_is_printed_and_nothing_started(program: str) -> None:
    answer = shown(program)
    assert answer.returncode == 0, answer.stderr
    assert "usage:" in answer.stdout.lower()
    assert answer.stderr == ""


@pytest.mark.parametrize("command", [*COMMANDS, "local.api"])
def test_help_lists_the_settings_with_default_and_meaning(command: str) -> None:
    expected = (
        "  EVENTS_KAFKA__BOOTSTRAP_SERVERS=127.0.0.1:8804\n      host:port, comma separated.\n"
    )
    assert expected in shown(command).stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_wrong_variable_has_a_line_with_its_name_and_what_is_wrong(command: str) -> None:
    answer = run(
        command, EVENTS_KAFKA__REQUEST_TIMEOUT_S="soon", EVENTS_KAFKA__SASL_MECHANISM="MD5"
    )
    assert answer.returncode == 2
    assert sorted(messages(answer.stderr)) == [
        "EVENTS_KAFKA__REQUEST_TIMEOUT_S: Input should be a valid number, unable to parse string"
        " as a number, not 'soon'.",
        "EVENTS_KAFKA__SASL_MECHANISM: Input should be 'PLAIN', 'SCRAM-SHA-256' or"
        " 'SCRAM-SHA-512', not 'MD5'.",
    ]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("EVENTS_HTTP__PORT", "70000", "less than or equal to 65535, not '70000'."),
        ("events_http__port", "x", "EVENTS_HTTP__PORT: Input should be a valid integer"),
        ("EVENTS_HTTP__PORTT", "1", "no setting has this name. Did you mean EVENTS_HTTP__PORT?"),
        ("EVENTS_ACCESS__ALGORITHMS", "RS256", 'must be JSON, such as ["RS256"], not'),
        ("EVENTS_ACCESS__ALGORITHMS", '["HS256"]', "EVENTS_ACCESS__ALGORITHMS: 0: Input should"),
        ("EVENTS_KAFKA", "127.0.0.1:8804", "EVENTS_KAFKA: must be JSON"),
        ("EVENTS_HTTP", "5", "EVENTS_HTTP: Input should be"),
        ("EVENTS_TENANT_RATES", '{"acme": {"burst_s": "x"}}', "TENANT_RATES: acme.burst_s: Input"),
        ("EVENTS_TENANT_RATES__ACME__BURST_S", "x", "EVENTS_TENANT_RATES: acme.burst_s: Input"),
        ("EVENTS_ACK_TIMEOUT_S", "x" * 5000, f"not '{'x' * 59}...."),
    ],
)
def test_the_variable_is_named_as_it_is_written(name: str, value: str, said: str) -> None:
    answer = run("ingest", **{name: value})
    assert answer.returncode == 2
    (message,) = messages(answer.stderr)
    assert said in message
    assert name.upper() in message or "EVENTS_TENANT_RATES" in message


def test_a_secret_is_not_shown() -> None:
    answer = run("query", EVENTS_CLICKHOUSE='{"password": 4711, "database": "0"}')
    assert len(messages(answer.stderr)) == 2
    assert "4711" not in answer.stderr


def test_what_may_be_somebody_elses_is_a_warning_and_other_services_names_are_none() -> None:
    answer = run(
        "query",
        EVENTS_ACK_TIMEOUT="5",  # a slip
        EVENTS_PORT="tcp://10.0.0.1:80",  # as Kubernetes sets for a Service named `events`
        EVENTS_BATCH_ITEMS_MAX="0",  # wrong, but of ingest
        EVENTS_TENANT="acme",  # of the `events` command
        EVENTS_HTTP__PORT="0",  # ends it
    )
    assert answer.returncode == 2
    assert messages(answer.stderr, "warning") == [
        "EVENTS_ACK_TIMEOUT: no setting has this name. Did you mean EVENTS_ACK_TIMEOUT_S?"
        " It is ignored.",
        "EVENTS_PORT: no setting has this name. Did you mean EVENTS_PORT_BASE? It is ignored.",
    ]
    assert [line.partition(":")[0] for line in messages(answer.stderr)] == ["EVENTS_HTTP__PORT"]
