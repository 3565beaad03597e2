"""The jars of the local JVM servers: pinned by lock files, checked against their sha256.

They lie inside the virtual environment and go with it. jgo resolves and downloads; no Maven and no
Java on the machine are needed.
"""

import hashlib
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from jgo.env import LockFile
from jgo.env._lockfile import LockedDependency
from jgo.maven import MavenContext

SERVERS = ("kafka", "elasticmq")
HERE = Path(__file__).parent
INSTALLED = Path(sys.prefix) / "share" / "events-api"
DOWNLOADS_AT_ONCE = 6


class JarMismatch(Exception):
    """A downloaded jar is not the one that the lock file names."""


def locked(server: str) -> list[LockedDependency]:
    """The jars of `server` as its lock file names them."""
    return list(LockFile.load(HERE / f"{server}.lock.toml").dependencies)


def class_path(server: str) -> str:
    """The installed jars of `server` as a Java class path. Raises `FileNotFoundError`."""
    paths = [_path(jar) for jar in locked(server)]
    missing = [path.name for path in paths if not path.exists()]
    if missing:
        raise FileNotFoundError(f"{len(missing)} jars of {server} are not installed")
    return ":".join(str(path) for path in paths)


def missing(of: Iterable[str] = SERVERS) -> list[LockedDependency]:
    """What has to be downloaded before these, the servers unless named, can run."""
    jars = {_path(jar): jar for each in of for jar in locked(each)}
    return [jar for path, jar in jars.items() if not path.exists()]


def install(jars: list[LockedDependency]) -> Iterator[LockedDependency]:
    """Download `jars`, yielding each as it is in place. Raises `JarMismatch`, `OSError`."""
    context = MavenContext(repo_cache=INSTALLED / "repository", timeout=60)
    with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as threads:
        futures = {threads.submit(_install, context, jar): jar for jar in jars}
        try:
            for future in as_completed(futures):
                future.result()
                yield futures[future]
        except BaseException:
            threads.shutdown(cancel_futures=True)
            raise


def _path(jar: LockedDependency) -> Path:
    """Named by its sum: a jar that is there has been checked."""
    return INSTALLED / "jars" / f"{jar.artifactId}-{jar.version}-{(jar.sha256 or '')[:12]}.jar"


def _install(context: MavenContext, jar: LockedDependency) -> None:
    component = context.project(jar.groupId, jar.artifactId).at_version(jar.version)
    downloaded = component.artifact(jar.classifier or "", jar.packaging).resolve()
    found = hashlib.sha256(downloaded.read_bytes()).hexdigest()
    if found != jar.sha256:
        downloaded.unlink()
        raise JarMismatch(
            f"{jar.groupId}:{jar.artifactId}:{jar.version} has the sha256 {found}, the lock file"
            f" says {jar.sha256}: it was removed; run the command again, and if it stays so,"
            " the registry serves another file than the one that was tested"
        )
    target = _path(jar)
    target.parent.mkdir(parents=True, exist_ok=True)
    downloaded.replace(target)
