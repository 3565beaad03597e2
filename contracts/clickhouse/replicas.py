"""What statements need on a cluster of ClickHouse and on one server do not: the only place that knows.

On one server everything here is empty, so statements are what they would be without it. On a cluster
an insert counts when most replicas have it, one after the other, because only then does a sequentially
consistent read know which inserts there were; `docs/operate/clickhouse-cluster.md` argues it case by case.
"""

from typing import Any, NamedTuple

SEQUENTIAL: dict[str, Any] = {"select_sequential_consistency": 1}
QUORUM_TAKEN = 286
"""UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE: another insert into the table waits for its quorum. Nothing
was written of the block that was refused."""


class Replicas(NamedTuple):
    """The replicas of one shard, by the name of their cluster; empty for one server.

    A statement may take `wait_s` seconds.
    """

    cluster: str = ""
    wait_s: float = 30

    @property
    def read_back(self) -> dict[str, Any]:
        """Settings of a read that something is decided by: all acknowledged inserts, or an error."""
        return dict(SEQUENTIAL) if self.cluster else {}

    @property
    def write(self) -> dict[str, Any]:
        """Settings of what changes something: on most replicas, DDL on all, before it is answered."""
        if not self.cluster:
            return {}
        return SEQUENTIAL | {
            "insert_quorum": "auto",  # most of the replicas
            "insert_quorum_parallel": 0,  # what sequential consistency requires
            "insert_quorum_timeout": round(self.wait_s * 1000),
            "alter_sync": 2,
            "distributed_ddl_task_timeout": max(1, round(self.wait_s)),
            "distributed_ddl_output_mode": "throw",
        }

    @property
    def on_cluster(self) -> str:
        """The clause that runs a statement on every server."""
        return f" ON CLUSTER `{self.cluster}`" if self.cluster else ""

    def each(self, table: str) -> str:
        """`table` to read from, on each replica; one that is away is an error.

        With the setting `skip_unavailable_shards` it is left out.
        """
        return f"clusterAllReplicas('{self.cluster}', {table})" if self.cluster else table


LIVING: dict[str, Any] = {"skip_unavailable_shards": 1}
"""Settings of a read of `Replicas.each` that does without replicas that are away."""
