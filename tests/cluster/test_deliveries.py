"""A leader of `events` and of the ledger is killed while a router delivers: everything comes, in order."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from contracts.topics import EVENTS, TopicSettings, topics
from local.stack import REGION
from service.connections import KafkaConnection
from tests.cluster.brokers import DEADLINE_S, NODES, Brokers
from tests.cluster.test_cluster import only_long
from tests.cluster.topic import Topic, until
from tests.faults.deliveries import deliveries
from tests.processes import STOP_TIMEOUT_S

ROUNDS, APPENDED = 3, 200
SETTINGS = TopicSettings(replication=len(NODES), min_insync_replicas=2)


async def all_topics(brokers: Brokers) -> None:
    """Make them, when the cluster has come up."""

    async def made() -> bool:
        wanted = [
            NewTopic(each.name, each.partitions, each.replication, topic_configs=each.config)
            for each in topics(SETTINGS)
        ]
        admin = AIOKafkaAdminClient(**brokers.connection().client_args())
        try:
            await admin.start()
            answer = await admin.create_topics(wanted)
        except (KafkaError, OSError):
            return False
        finally:
            await admin.close()
        return all(code in (0, 36) for _, code, *_ in answer.topic_errors)  # 36: it is there

    await until(made)
    for each in topics(SETTINGS):
        await until(Topic(brokers, each.name).whole)


@contextlib.contextmanager
def router(kafka: KafkaConnection, sqs: str, log: Path) -> Iterator[None]:
    """`python -m processors route`, ended with the context."""
    settings = {
        "EVENTS_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "EVENTS_SQS__ENDPOINT_URL": sqs,
        "EVENTS_PROBES__PORT": "0",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": REGION,
    }
    with log.open("wb") as output:
        argv = [sys.executable, "-m", "processors", "route"]
        child = subprocess.Popen(argv, env=os.environ | settings, stdout=output, stderr=output)
    try:
        yield
        assert child.poll() is None, log.read_text()[-3000:]
    finally:
        child.terminate()
        try:
            child.wait(STOP_TIMEOUT_S)
        finally:
            child.kill()
            child.wait()


@only_long
async def test_a_leader_is_killed_while_a_router_delivers(brokers: Brokers, tmp_path: Path) -> None:
    await all_topics(brokers)
    topic, kafka = Topic(brokers, EVENTS), brokers.connection()
    async with deliveries(kafka) as counted:
        with router(kafka, counted.sqs.url, tmp_path / "route.log"):
            for _ in range(ROUNDS):
                await counted.append(APPENDED)
                broker = brokers.by_node[await topic.leader()]
                await broker.kill()
                await counted.append(APPENDED)
                broker.start()
                await until(topic.whole)
            await counted.append(APPENDED)
            await counted.until_complete(2 * DEADLINE_S)
        await counted.came()
        verdict = counted.verdict()
        print(f"\n  {ROUNDS} leaders killed, {counted.events} events, {verdict}", flush=True)
        assert verdict.complete, str(verdict)
        assert verdict.delivered == verdict.owed
