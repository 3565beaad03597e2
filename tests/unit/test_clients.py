"""The document on ClickHouse's clients names the versions that the tests of them run."""

import json
import re
import tomllib

from tests.documents import ROOT

DRIVERS = ROOT / "tests" / "drivers" / "programs"


def pinned(requirements: str, name: str) -> str:
    text = (ROOT / "requirements" / requirements).read_text()
    found = re.search(rf"^{name}==([0-9.]+)", text, re.MULTILINE)
    assert found
    return found[1]


def test_the_table_names_what_is_pinned() -> None:
    page = (ROOT / "docs" / "reference" / "clients.md").read_text()
    rows = re.findall(r"^\| ([\w@/-]+).*? \| ([0-9.]+) \|", page, re.MULTILINE)
    jdbc = tomllib.loads((ROOT / "local" / "jars" / "clickhouse-jdbc.toml").read_text())
    node = json.loads((ROOT / "tests" / "clients" / "package.json").read_text())
    go = re.search(r"clickhouse-go/v2 v([0-9.]+)", (DRIVERS / "go" / "go.mod").read_text())
    assert go
    assert dict(rows) == {
        "clickhouse-connect": pinned("dev.txt", "clickhouse-connect"),
        "SQLAlchemy": pinned("analysts.txt", "sqlalchemy"),
        "dbt-clickhouse": pinned("analysts.txt", "dbt-clickhouse"),
        "clickhouse-jdbc": jdbc["dependencies"]["coordinates"][0].split(":")[2],
        "@clickhouse/client": node["devDependencies"]["@clickhouse/client"],
        "clickhouse-go": go[1],
    }


def test_clickhouse_connect_is_the_same_for_analysts() -> None:
    assert pinned("analysts.txt", "clickhouse-connect") == pinned("dev.txt", "clickhouse-connect")
