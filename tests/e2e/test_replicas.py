"""Two replicas of ClickHouse with Keeper, from outside; only where a Docker engine is."""

import subprocess
from collections.abc import Iterator

import httpx
import pytest

from tests import containers
from tests.builders import an_event
from tests.containers import ContainerStack
from tests.stack import eventually
from tests.visible import visible

REPLICAS = [f"http://events:events@127.0.0.1:{port}" for port in (8123, 8124)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[ContainerStack]:
    """The stack on two replicas."""
    if reason := containers.why_not():
        pytest.skip(f"compose.cluster.yaml is not run: {reason}")
    with containers.running(containers.ON_CLUSTER) as running:
        yield running


def counts(tenant: str) -> list[int]:
    """The tenant's events on each replica, asked directly."""
    sql = f"SELECT count() FROM events.events FINAL WHERE tenant = '{tenant}'"
    return [int(httpx.post(url, content=sql).raise_for_status().text) for url in REPLICAS]


def compose(*arguments: str) -> None:
    """`docker compose` on this stack."""
    files = [part for name in containers.ON_CLUSTER for part in ("-f", name)]
    subprocess.run(
        ["docker", "compose", *files, *arguments], cwd=containers.ROOT, check=True, timeout=120
    )


def test_what_is_visible_is_on_every_replica_and_what_is_erased_on_none(
    cluster: ContainerStack, tenant: str
) -> None:
    with cluster.client(tenant) as client:
        posted = client.post("/api/v1/events", json=an_event())
        path = posted.headers["Location"]
        visible(client, posted.json()["id"])
        assert counts(tenant) == [1, 1]  # a majority of two is both
        assert client.delete(path).status_code == 204
        assert counts(tenant) == [0, 0]


def test_without_its_quorum_the_view_stands_still_and_nothing_is_lost(
    cluster: ContainerStack, tenant: str
) -> None:
    with cluster.client(tenant) as client:
        compose("stop", "clickhouse-2")
        try:
            posted = [client.post("/api/v1/events", json=an_event()) for _ in range(20)]
        finally:
            compose("start", "clickhouse-2")
        assert {answer.status_code for answer in posted} == {201}
        eventually(lambda: counts(tenant), until=lambda each: each == [20, 20])
