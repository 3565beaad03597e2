"""`python -m local.jars`: resolve the jars anew after a change of version, and write the lock files."""

import argparse
import tempfile
from pathlib import Path

from jgo.env import EnvironmentBuilder, EnvironmentSpec
from jgo.maven import MavenContext

from local.jars import HERE, SERVERS

LOCKED = (*SERVERS, "event-ruler", "clickhouse-jdbc")  # the last two for tests alone


def main() -> None:
    """Write one lock file beside each specification."""
    argparse.ArgumentParser(prog="python -m local.jars", description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        builder = EnvironmentBuilder(
            context=MavenContext(repo_cache=Path(scratch) / "repository", timeout=60),
            cache_dir=Path(scratch),
        )
        for server in LOCKED:
            spec = EnvironmentSpec.load(HERE / f"{server}.toml")
            builder.resolve_lockfile(spec).save(HERE / f"{server}.lock.toml")


if __name__ == "__main__":
    main()
