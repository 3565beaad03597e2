"""`events migrate`: on a real ClickHouse, on one that is away, with settings that make no sense."""

import uuid

import pytest

from contracts.clickhouse.schema import ACCESS_FILE, migrations, statements
from tests.cli.conftest import UNUSED, Events
from tests.stack import Stack


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"t_{uuid.uuid4().hex}"
    monkeypatch.setenv("EVENTS_CLICKHOUSE__DATABASE", name)
    return name


def test_each_migration_is_shown_and_a_second_run_has_nothing_to_do(
    events: Events, stack: Stack, database: str
) -> None:
    events.point(clickhouse=stack.status["clickhouse"])
    total = len(migrations())
    first = events("migrate")
    assert first.exit_code == 0, first.output
    assert first.stdout.splitlines() == [
        f"{each.number}/{total}  {each.number:04d}_{each.name}  applied" for each in migrations()
    ]
    assert events("migrate").stdout == (
        f"Nothing to do: database {database} has this release's schema and retention.\n"
    )
    stack.sql(f"DROP DATABASE {database} SYNC")


def test_a_changed_retention_is_applied_and_shown(
    events: Events, stack: Stack, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    events.point(clickhouse=stack.status["clickhouse"])
    events("migrate")
    monkeypatch.setenv("EVENTS_TABLES__RETENTION_DAYS", "90")
    monkeypatch.setenv("EVENTS_TABLES__RETENTION_DAYS_BY_TENANT", '{"acme": 30}')
    result = events("migrate")
    assert result.exit_code == 0, result.output
    assert "MODIFY TTL received_at + toIntervalDay(transform(tenant, ['acme'], [30], 90))" in (
        result.stdout
    )
    stack.sql(f"DROP DATABASE {database} SYNC")


def test_a_database_that_is_newer_is_left_alone(
    events: Events, stack: Stack, database: str
) -> None:
    events.point(clickhouse=stack.status["clickhouse"])
    events("migrate")
    stack.sql(
        f"INSERT INTO {database}.schema_migrations (number, name, sha256)"
        " VALUES (9999, 'future', 'x')"
    )
    result = events("migrate")
    assert result.exit_code == 1
    assert "Nothing was changed. Database" in result.stderr
    assert "9999_future" in result.stderr
    stack.sql(f"DROP DATABASE {database} SYNC")


def test_a_server_that_is_away_is_named(events: Events, database: str) -> None:
    events.point(clickhouse=UNUSED)
    result = events("migrate")
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"Reading what it has had failed at {UNUSED}" in result.stderr


def test_the_environments_server_comes_before_the_local_stack(
    events: Events, stack: Stack, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    events.point(clickhouse=stack.status["clickhouse"])
    monkeypatch.setenv("EVENTS_CLICKHOUSE__URL", "http://127.0.0.1:19")
    assert "failed at http://127.0.0.1:19" in events("migrate").stderr


def test_settings_that_make_no_sense_are_named(
    events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENTS_TABLES__RETENTION_DAYS", "0")
    result = events("migrate")
    assert result.exit_code == 1
    assert "EVENTS_TABLES__RETENTION_DAYS: " in result.stderr


def test_the_access_statements_are_sql_and_carry_a_password_of_their_own(
    events: Events, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENTS_TABLES__CLUSTER", "main")
    first, second = events("migrate", "--print-access"), events("migrate", "--print-access")
    assert first.exit_code == 0, first.output
    assert first.stdout != second.stdout
    assert "$password" not in first.stdout
    shown = statements(first.stdout, "events")
    assert len(shown) == len(statements(ACCESS_FILE.read_text(), "events"))
    for statement in shown:
        assert "ON CLUSTER `main`" in statement
        escaped = statement.replace("\\", "\\\\").replace("'", "\\'")
        assert stack.sql(f"SELECT formatQuery('{escaped}')")[0][0]
