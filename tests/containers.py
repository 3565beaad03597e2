"""compose.yaml as a stack under test, through testcontainers; only where a Docker engine is.

With `ON_CLUSTER` after it, on two replicas of ClickHouse and Keeper.
"""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
from testcontainers.compose import DockerCompose

from tests.stack import Stack

ROOT = Path(__file__).parent.parent
ON_CLUSTER = ("compose.yaml", "compose.cluster.yaml")
STATUS = {
    "api": "http://127.0.0.1:8080",
    "clickhouse": "http://events:events@127.0.0.1:8123",
    "sqs": "http://127.0.0.1:9324",
    "issuer": "http://127.0.0.1:8803",
}


def why_not() -> str:
    """Why containers cannot be run here; empty when they can."""
    docker = shutil.which("docker")
    if docker is None:
        return "no docker command"
    probe = subprocess.run([docker, "info"], capture_output=True, timeout=30, check=False)
    return "" if probe.returncode == 0 else "no Docker engine answers"


@dataclass
class ContainerStack(Stack):
    """The stack of compose.yaml, from outside."""

    secret: str = ""

    def headers(self, tenant: str = "acme") -> dict[str, str]:
        """What a request of `tenant` carries."""
        form = {
            "grant_type": "client_credentials",
            "client_id": tenant,
            "client_secret": self.secret,
        }
        answer = httpx.post(f"{STATUS['issuer']}/token", data=form).raise_for_status()
        return {
            "Authorization": f"Bearer {answer.json()['access_token']}",
            "X-TWC-Tenant": tenant,
            "Content-Type": "application/json",
        }


@contextlib.contextmanager
def running(files: tuple[str, ...] = ("compose.yaml",)) -> Iterator[ContainerStack]:
    """`docker compose up --build --wait`, and `down` with its volumes at the end."""
    named = list(files)
    with DockerCompose(ROOT, named, build=True, wait=True, keep_volumes=False) as compose:
        secret, _, _ = compose.exec_in_container(["cat", "/data/client_secret"], "issuer")
        yield ContainerStack(ROOT, 8080, dict(STATUS), secret=secret.strip())
