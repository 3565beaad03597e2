"""dbt-clickhouse: the project beside this, built twice; prints what it saw as JSON.

Arguments: host, port, a folder to write in.
"""

import json
import os
import sys
from pathlib import Path

from dbt.cli.main import dbtRunner


def main() -> None:
    """Build it, build it again."""
    host, port, folder = sys.argv[1:]
    os.environ |= {"DBT_HOST": host, "DBT_PORT": port, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
    project = str(Path(__file__).parent / "dbt")
    places = ["--target-path", f"{folder}/target", "--log-path", f"{folder}/logs"]
    seen: dict[str, dict[str, str]] = {}
    for name in ("first", "again"):
        options = ["--project-dir", project, "--profiles-dir", project, "--quiet"]
        done = dbtRunner().invoke(["build", *options, *places])
        if done.exception:
            raise done.exception
        seen[name] = {
            result.node.unique_id.split(".")[2]: str(result.status) for result in done.result
        }
    print(json.dumps(seen))


if __name__ == "__main__":  # dbt begins processes of its own, which read this file
    main()
