"""The rights that docs/operate names, against what the services read of ClickHouse itself."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OPERATE = ROOT / "docs" / "operate"
READ = re.compile(r"\bsystem\.([a-z_]+)")
OF_EVERYBODY = {"tables", "columns"}
"""ClickHouse shows these to everybody, as far as one may see what they are about."""


def read_by(folder: str) -> set[str]:
    """Tables of the database `system` that the modules of a folder name."""
    texts = (path.read_text() for path in (ROOT / folder).rglob("*.py"))
    return {found[1] for text in texts for found in READ.finditer(text)}


@pytest.mark.parametrize(
    ("folder", "user"),
    [("processors/materialize", "events_materialize"), ("processors/upkeep", "events_setup")],
)
def test_what_is_read_of_the_server_is_granted(folder: str, user: str) -> None:
    rights = (OPERATE / "rights.md").read_text()
    granted = set(re.findall(rf"GRANT SELECT ON system\.([a-z_]+) TO {user};", rights))
    cluster = (OPERATE / "clickhouse-cluster.md").read_text().partition("## Rights")[2]
    beside = set(re.findall(r"`system\.([a-z_]+)`", cluster.partition("\n## ")[0]))
    wanted = read_by(folder)
    assert wanted
    assert wanted <= granted | beside | OF_EVERYBODY
