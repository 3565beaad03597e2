"""The migrations' text: placeholders, the cluster's variant, and the values that the contract knows."""

import re

import pytest
from pydantic import ValidationError

from contracts.clickhouse.schema import PREPARE, Migration, TableSettings, migrations, statements

CHANGES = ("CREATE", "ALTER", "DROP", "RENAME")


@pytest.mark.parametrize("text", [PREPARE, *(each.text for each in migrations())])
def test_on_a_cluster_every_statement_runs_on_all_servers_with_replicated_engines(
    text: str,
) -> None:
    for statement in statements(text, "shop", "main"):
        code = re.sub(r"^\s*--.*\n", "", statement, flags=re.MULTILINE).strip()
        assert code.startswith(CHANGES)
        assert " ON CLUSTER `main`" in code.splitlines()[0]
        assert set(re.findall(r"ENGINE = (\w+)", code)) <= {"ReplicatedReplacingMergeTree"}
        assert "shop" in code.splitlines()[0]


@pytest.mark.parametrize("text", [PREPARE, *(each.text for each in migrations())])
def test_on_one_server_nothing_is_replicated(text: str) -> None:
    for statement in statements(text, "shop"):
        assert "CLUSTER" not in statement
        assert "Replicated" not in statement


def test_an_unknown_placeholder_is_refused() -> None:
    with pytest.raises(KeyError, match="databse"):
        statements("CREATE TABLE {databse}.t", "shop")


def test_clickhouses_own_parameters_pass() -> None:
    assert statements("SELECT {since:DateTime};\n", "shop") == ["SELECT {since:DateTime}"]


def test_a_migrations_hash_is_that_of_its_text() -> None:
    one = Migration(1, "one", "SELECT 1")
    assert one.sha256 == one._replace(number=2).sha256
    assert one.sha256 != one._replace(text="SELECT 2").sha256


@pytest.mark.parametrize(
    "wrong",
    [
        {"cluster": "a b"},
        {"cluster": "`"},
        {"retention_days": 0},
        {"retention_days_by_tenant": {"it's": 3}},
        {"retention_days_by_tenant": {"acme": 0}},
    ],
)
def test_settings_that_could_not_be_meant_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TableSettings.model_validate(wrong)


def test_migrations_are_numbered_from_one_without_gaps() -> None:
    numbers = [each.number for each in migrations()]
    assert numbers == list(range(1, len(numbers) + 1))
