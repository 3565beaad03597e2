"""docs/reference/tables.md, from the comments that the migrations give tables, views and columns."""

import json
import tempfile

from contracts.clickhouse.schema import PREPARE, migrations, statements
from docs.make.markdown import GENERATED, code, table

OBJECTS = """
SELECT name, comment, engine LIKE '%View' FROM system.tables
WHERE database = '{database}' ORDER BY name FORMAT JSONCompactEachRow
"""
COLUMNS = """
SELECT table, name, type, comment FROM system.columns WHERE database = '{database}'
AND default_kind != 'EPHEMERAL' ORDER BY table, position FORMAT JSONCompactEachRow
"""
TEXT = """# Tables and views

{generated}The database `events` of ClickHouse, made by numbered migrations (`events migrate`). What to do with it:
[analyse](../how-to/analyse.md). `faults_since(since = ...)` takes a time and has the columns of `faults`. Retention, when it is set,
shows as the table's TTL.

"""


def page(answers: tuple[str, str]) -> str:
    """The page from the answers to OBJECTS and COLUMNS."""
    objects, columns = ([json.loads(line) for line in each.splitlines()] for each in answers)
    text = TEXT.format(generated=GENERATED)
    for name, comment, is_view in objects:
        rows = [
            (code(column), code(kind), told) for of, column, kind, told in columns if of == name
        ]
        if rows:
            text += f"## {name}\n\n{'A view. ' if is_view else ''}{comment}.\n\n"
            text += table(("column", "type", "meaning"), rows) + "\n"
    return text.rstrip() + "\n"


def described() -> tuple[str, str]:
    """Those answers of a ClickHouse engine in this process that has had all migrations."""
    import chdb

    with tempfile.TemporaryDirectory() as folder, chdb.connect(folder) as engine:
        for text in (PREPARE, *(each.text for each in migrations())):
            for statement in statements(text, "events"):
                engine.query(statement)
        objects, columns = (
            engine.query(sql.format(database="events")).bytes().decode()
            for sql in (OBJECTS, COLUMNS)
        )
    return objects, columns
