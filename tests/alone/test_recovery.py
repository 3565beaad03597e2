"""Servers of the local stack killed with -9: they come back by themselves with what they held."""

import asyncio
import contextlib

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from tests.stack import Stack, eventually


def test_queues_and_messages_survive_a_kill_of_sqs(stack: Stack, tenant: str) -> None:
    sqs = stack.sqs()
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    sqs.create_queue(QueueName=f"{tenant}.fifo", Attributes=attributes)
    url = sqs.get_queue_url(QueueName=f"{tenant}.fifo", QueueOwnerAWSAccountId="000000000000")
    entries = [{"Id": str(n), "MessageBody": f"{n}", "MessageGroupId": "g"} for n in range(10)]
    pid = stack.pid("sqs")
    sent = sqs.send_message_batch(QueueUrl=url["QueueUrl"], Entries=entries)
    assert len(sent["Successful"]) == 10

    stack.kill("sqs", pid)  # at once: what was acknowledged must be on disk

    received: set[str] = set()

    def receive() -> set[str]:
        with contextlib.suppress(sqs.exceptions.QueueDoesNotExist):  # it listens, and then restores
            answer = sqs.receive_message(QueueUrl=url["QueueUrl"], MaxNumberOfMessages=10)
            received.update(message["Body"] for message in answer.get("Messages", []))
        return received

    # the order inside one batch is not kept over a restart: ElasticMQ sorts by time of sending
    eventually(receive, until=lambda bodies: bodies == set("0123456789"))


def test_acknowledged_records_survive_a_kill_of_kafka(stack: Stack, tenant: str) -> None:
    asyncio.run(_write(stack.status["kafka"], tenant, b"before"))
    stack.kill("kafka")
    eventually(lambda: asyncio.run(_written(stack.status["kafka"], tenant, b"after")))
    records = asyncio.run(_read(stack.status["kafka"], tenant))
    assert records[0] == b"before"
    assert set(records[1:]) == {b"after"}  # a try whose answer was lost may have been written too


async def _write(bootstrap: str, topic: str, value: bytes) -> None:
    """Write one record to `topic`, which is created when it is not there."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, 1)])  # answers "exists" the second time
    finally:
        await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        await producer.send_and_wait(topic, value)


async def _written(bootstrap: str, topic: str, value: bytes) -> bool:
    try:
        await _write(bootstrap, topic, value)
    except (KafkaError, OSError):
        return False
    return True


async def _read(bootstrap: str, topic: str) -> list[bytes | None]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    partition = TopicPartition(topic, 0)
    async with asyncio.timeout(60), consumer:
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        await consumer.seek_to_beginning(partition)
        return [(await consumer.getone()).value for _ in range(end)]
