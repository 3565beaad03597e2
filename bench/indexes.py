"""What indexes of the table of events cost: CPU per row when a part is written and when parts are merged.

`python -m bench.indexes [--rows N] [INDEX ...]`. For each index a table in this process, filled by 10,000
rows at once without merges, then merged into one part; each figure is of all that the row costs, making
it included. Bytes per row are those of the merged table.
"""

import argparse
import os
import tempfile
from functools import partial
from pathlib import Path

import chdb
from rich.console import Console
from rich.table import Table

from bench.history import insert
from bench.load_test import positive
from bench.rows import seed
from contracts.clickhouse.schema import migrations, statements

TEXT = "lower(concat(ifNull(payload, ''), ' ', ifNull(fault, '')))"
BY_TIME = "deduplicate_merge_projection_mode = 'rebuild', lightweight_mutation_projection_mode = 'rebuild'"
INDEXES = {
    "none": "MODIFY SETTING merge_selector_base = 10",
    "as migrated": "",
    "time: positions": f"MODIFY SETTING {BY_TIME};"
    "ADD PROJECTION p (SELECT _part_offset ORDER BY tenant, received_at)",
    "entity: text": "ADD INDEX i entity_id TYPE text(tokenizer = 'array')",
    "attributes: text": "ADD INDEX i mapValues(key_attributes) TYPE text(tokenizer = 'array')",
    "words: Bloom": f"ADD INDEX i {TEXT} TYPE tokenbf_v1(65536, 2, 0) GRANULARITY 16",
    "words: text": f"ADD INDEX i {TEXT} TYPE text(tokenizer = 'splitByNonAlpha',"
    " posting_list_codec = 'bitpacking')",
    "n-grams: Bloom": f"ADD INDEX i {TEXT} TYPE ngrambf_v1(4, 65536, 1, 0) GRANULARITY 16",
    "sparse n-grams: Bloom": f"ADD INDEX i {TEXT} TYPE sparse_grams(3, 100, 5, 65536, 2, 0) GRANULARITY 16",
}
"""What is altered of the table, by name; what migrations add for searches is in `as migrated` alone."""
OURS = ("INDEX by_entity", "INDEX by_attribute", "COLUMN full_text")
BYTES = """
SELECT sum(bytes_on_disk) / sum(rows) FROM system.parts
WHERE database = 'events' AND table = 'events' AND active
"""


def cost(name: str, rows: int) -> list[float]:
    """CPU microseconds per row of writing and of merging, and bytes per row."""
    with tempfile.TemporaryDirectory(prefix="events-bench-") as folder:
        connection = chdb.connect(folder)
        run = partial(connection.query, format="TSV")
        run("CREATE DATABASE events")
        for migration in migrations():
            for statement in statements(migration.text, "events"):
                run(statement)
        if name != "as migrated":
            for ours in OURS:
                run(f"ALTER TABLE events.events DROP {ours}")
            for change in INDEXES[name].split(";"):
                run(f"ALTER TABLE events.events {change}")
        seeds = seed(run, Path(folder), "events")
        run("SYSTEM STOP MERGES events.events")
        times = [_cpu_s()]
        insert(run, seeds, rows)
        times.append(_cpu_s())
        run("SYSTEM START MERGES events.events")
        run("OPTIMIZE TABLE events.events FINAL")
        times.append(_cpu_s())
        size = float(str(run(BYTES)))
        connection.close()
    return [*((times[at + 1] - times[at]) / rows * 1e6 for at in range(2)), size]


def _cpu_s() -> float:
    used = os.times()
    return used.user + used.system


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.indexes", description=__doc__)
    parser.add_argument("--rows", type=positive, default=100_000, help="rows of each table")
    parser.add_argument(
        "index", nargs="*", choices=[[], *INDEXES], help="some of them; default all"
    )
    arguments = parser.parse_args()
    table = Table("index", "write us/row", "merge us/row", "bytes/row")
    for name in arguments.index or INDEXES:
        written, merged, size = cost(name, arguments.rows)
        table.add_row(name, f"{written:.1f}", f"{merged:.1f}", f"{size:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
