"""A FastStream application around one step: consumer settings, start, stop, exit code.

FastStream's defaults lose events on a crash (ACK_FIRST), create topics and decode bodies; each is
stated here instead. An error of the step ends the process: FastStream would go on with the next
batch, so `Consume` refuses it and `run` raises the error after a clean stop.
"""

import asyncio
import functools
import logging
from typing import Any, cast

from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from contracts.topics import EVENTS, RECORD_BYTES_MAX
from processors.consume.checksums import fetch_with_checksums
from processors.consume.consume import Consume
from processors.consume.loss import GuardedConsumer
from processors.consume.watchdog import watch
from service.connections import METADATA_AGE_MS, KafkaConnection
from service.kafka.bootstrap import close_when_cancelled
from service.kafka.coordinator import mend_coordinator

log = logging.getLogger(__name__)

POLL_MS = 100
FETCH_BYTES_MAX = 24 * 1024 * 1024
"""Two batches of rows or more, in a buffer that is reused (`service.memory`).

It counts bytes as they are in the log; aiokafka decompresses a record batch when its turn comes.
"""


MEMBERSHIP: dict[str, Any] = {
    "max_poll_interval_ms": 15 * 60 * 1000,
    "session_timeout_ms": 15_000,  # aiokafka gives members as long to join a rebalance
    "heartbeat_interval_ms": 3_000,
    "partition_assignment_strategy": (StickyPartitionAssignor,),
}
"""Of a group's members. Who joins takes few partitions from the others.

One strategy and no second: aiokafka joins once for each, with one more each time. A member of more
than Kafka knew begins another rebalance, so two whose turns differ do it to each other for ever.
"""


async def run(
    consume: Consume,
    kafka: KafkaConnection,
    group: str,
    *,
    topic: str = EVENTS,
    rows_max: int,
    bytes_min: int,
    wait_ms: int,
    stuck_after_s: float,
) -> None:
    """Consume `topic` as a member of `group` until SIGTERM, SIGINT or the step's failure, raised."""
    broker = KafkaBroker(
        kafka.bootstrap_servers.split(","),
        security=_security(kafka),
        request_timeout_ms=round(kafka.request_timeout_s * 1000),
        metadata_max_age_ms=METADATA_AGE_MS,
        allow_auto_create_topics=False,
        consumer_only=True,
        apply_types=False,
        serializer=None,
        graceful_timeout=15.0,
        logger=logging.getLogger("processors.faststream"),  # its own would not go to our handler
        log_level=logging.DEBUG,
    )
    subscriber = broker.subscriber(
        topic,
        group_id=group,
        batch=True,
        ack_policy=AckPolicy.MANUAL,  # never the default: it commits before the work is done
        auto_offset_reset="none",  # `processors.consume.loss` says where a group begins, and refuses gaps
        max_records=rows_max,
        batch_timeout_ms=POLL_MS,
        # the broker gathers a batch: it answers at `bytes_min`, or when the first has waited
        fetch_min_bytes=bytes_min,
        fetch_max_wait_ms=wait_ms,
        check_crcs=False,  # `processors.consume.checksums` does it, for less
        fetch_max_bytes=FETCH_BYTES_MAX,
        max_partition_fetch_bytes=4 * RECORD_BYTES_MAX,
        **MEMBERSHIP,
        listener=consume,
        parser=_undecoded,
        decoder=_body,
        no_reply=True,
    )
    consume.consumer_of = lambda: subscriber.consumer
    subscriber(consume.handle)
    fetch_with_checksums()
    mend_coordinator()
    close_when_cancelled()
    await broker.connect()  # makes the builder of consumers, asks nobody yet
    config = broker.config.broker_config
    options = cast("functools.partial[Any]", config.builder).keywords
    config.builder = functools.partial(GuardedConsumer, consume.hold, consume.fail, **options)
    app = FastStream(broker, logger=None, on_shutdown=(consume.rest,))  # before it leaves the group
    async with asyncio.TaskGroup() as tasks:
        watchdog = tasks.create_task(watch(consume, stuck_after_s))
        exiter = tasks.create_task(_exit_when_failed(app, consume))
        await app.run()
        watchdog.cancel()
        exiter.cancel()
    if consume.failure is not None:
        raise consume.failure


async def _exit_when_failed(app: FastStream, consume: Consume) -> None:
    await consume.failed.wait()  # no deadline: as long as nothing fails
    app.exit()


async def _undecoded(records: Any) -> KafkaMessage:
    """A batch as the records that aiokafka read: nothing is decoded twice."""
    return KafkaMessage(body=records, raw_message=records, consumer=_no_acks)


async def _body(message: KafkaMessage) -> Any:
    return message.body


class _NoAcks:
    """Stands where FastStream would commit or seek; `Consume` does both, with explicit offsets."""

    async def commit(self) -> None:
        raise AssertionError("offsets are committed by Consume alone")

    def seek(self, partition: Any, offset: int) -> None:
        raise AssertionError("only Consume gives records back")


_no_acks = _NoAcks()


def _security(kafka: KafkaConnection) -> BaseSecurity:
    args = kafka.client_args()
    common: dict[str, Any] = {
        "use_ssl": "ssl_context" in args,
        "ssl_context": args.get("ssl_context"),
    }
    if "sasl_mechanism" not in args:
        return BaseSecurity(**common)
    kind = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}
    return kind[args["sasl_mechanism"]](
        username=args["sasl_plain_username"], password=args["sasl_plain_password"], **common
    )
