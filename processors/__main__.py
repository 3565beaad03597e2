"""`python -m processors materialize|route|ledger|setup`: the only place that knows the concrete parts.

Beside them `audit|rebuild|accept-log|migrate`, which end by themselves.
"""

import argparse
import asyncio
import contextlib
import logging
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial

import uvloop

from contracts.clickhouse.deliveries import DELIVERIES_TABLE, DELIVERY_LOGS_TABLE
from contracts.topics import (
    DELIVERIES,
    DELIVERIES_DEAD,
    DELIVERIES_JOBS,
    DELIVERIES_RETRY,
    EVENTS,
    LEDGER_GROUP,
    MATERIALIZE_GROUP,
    REJECTED,
    ROUTE_GROUP,
    SUBSCRIPTIONS,
)
from processors.consume.consume import Consume
from processors.consume.loss import Guard
from processors.consume.one_log import Changed, MadeAnew, NotAccepted, OfOneLog
from processors.consume.probes import probed
from processors.consume.replay import Log
from processors.consume.run import run
from processors.consume.step import Halt, Step
from processors.ledger.step import Ledger
from processors.materialize.step import Materialize
from processors.settings import (
    LedgerSettings,
    MaterializeSettings,
    RouteSettings,
    SetupSettings,
)
from processors.upkeep import command_line
from processors.upkeep.acceptance import copied, number_of, numbered
from processors.upkeep.database import Database
from processors.upkeep.setup import setup
from service.clickhouse import ClickHouse
from service.kafka.eventlog import EventLog
from service.kafka.follow import JobsFollower, SubscriptionsFollower
from service.kafka.partition import QueueLimits
from service.kafka.topic_id import TopicId
from service.logs import configure
from service.memory import tune
from service.settings import Settings, load_or_exit, settings_text

log = logging.getLogger(__name__)

WRITES_DELIVERIES = "events.ledger "
"""How the tag of the ledger's inserts begins."""
WAITING_BYTES_MAX = 64 * 1024 * 1024
STOP_TIMEOUT_S = 15.0


StepOf = Callable[[uuid.UUID, Database], Awaitable[Step]]


async def materialize(settings: MaterializeSettings) -> None:
    """Kafka to ClickHouse, until stopped."""

    async def of_log(topic_id: uuid.UUID, database: Database) -> Step:
        async with Log.connected(settings.kafka) as log:
            number = await number_of(topic_id, log, database)
            return Materialize(database.rows_in_use(number), await copied(topic_id, log, database))

    async def pay(database: Database) -> None:
        await database.erasures().run()

    await _into_clickhouse(settings, MATERIALIZE_GROUP, EVENTS, of_log, NotAccepted, pay)


async def ledger(settings: LedgerSettings) -> None:
    """What became of deliveries, Kafka to ClickHouse, until stopped."""

    async def of_log(topic_id: uuid.UUID, database: Database) -> Step:
        number = await numbered(topic_id, database.logs(DELIVERY_LOGS_TABLE))
        return Ledger(database.rows(number, DELIVERIES_TABLE, WRITES_DELIVERIES))

    await _into_clickhouse(settings, LEDGER_GROUP, DELIVERIES, of_log, MadeAnew)


async def _into_clickhouse(
    settings: MaterializeSettings,
    group: str,
    topic: str,
    step_of: StepOf,
    changed: Changed,
    work: Callable[[Database], Awaitable[None]] | None = None,
) -> None:
    limits = QueueLimits(WAITING_BYTES_MAX, settings.ack_timeout_s)
    rejected = EventLog(settings.kafka, (REJECTED,), limits)
    clickhouse = ClickHouse(settings.clickhouse, settings.tables.cluster)
    database = Database(clickhouse, settings.clickhouse)
    topic_id = TopicId(settings.kafka, topic)
    step = OfOneLog(topic_id.now, lambda log: step_of(log, database), changed)
    consume = Consume(step, rejected, settings.backoff_max_s, Guard(group, settings.accept_loss))
    await rejected.start()
    try:
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(probed(consume, group, settings, topic=topic))
            if work is not None:
                await stack.enter_async_context(beside(partial(work, database), consume))
            await run(
                consume,
                settings.kafka,
                group,
                topic=topic,
                rows_max=settings.batch_rows_max,
                bytes_min=settings.batch_bytes_min,
                wait_ms=settings.batch_wait_ms,
                stuck_after_s=settings.stuck_after_s,
            )
    finally:
        await topic_id.close()
        await rejected.stop()
        await clickhouse.close()


async def route(settings: RouteSettings) -> None:
    """Kafka to SQS, until stopped."""
    # here, for it brings boto3: the other processors start without
    from processors.deliver.confirmations import Confirmations
    from processors.deliver.destinations.sqs.queues import SqsQueues
    from processors.deliver.router import Limits, Router

    written = (
        *(REJECTED, DELIVERIES, DELIVERIES_RETRY, DELIVERIES_DEAD, DELIVERIES_JOBS),
        *(EVENTS, SUBSCRIPTIONS),  # what becomes of a queue is announced, and who is paused
    )
    waiting = QueueLimits(WAITING_BYTES_MAX, settings.ack_timeout_s)
    topics = EventLog(settings.kafka, written, waiting)
    subscriptions, jobs = SubscriptionsFollower(settings.kafka), JobsFollower(settings.kafka)
    queues = SqsQueues(settings.sqs, settings.sends_max, settings.public_url, settings.destinations)
    limits = Limits(
        settings.retry_pause_max_s, settings.retry_for_s, settings.sends_max, settings.pause_after_s
    )
    router = Router(queues, topics, subscriptions, jobs, lambda: Log(settings.kafka), limits)
    confirmations = Confirmations(router.places, subscriptions, router.send, settings.destinations)
    guard = Guard(ROUTE_GROUP, settings.accept_loss)
    consume = Consume(router.step, topics, settings.backoff_max_s, guard)
    await topics.start()
    await subscriptions.start()
    await jobs.start()
    try:
        async with (
            probed(consume, ROUTE_GROUP, settings, router.measures),
            beside(router.run, consume),
            beside(confirmations.run, consume),
        ):
            await run(
                consume,
                settings.kafka,
                ROUTE_GROUP,
                rows_max=settings.batch_rows_max,
                bytes_min=1,
                wait_ms=settings.batch_wait_ms,
                stuck_after_s=settings.stuck_after_s,
            )
    finally:
        await jobs.stop()
        await subscriptions.stop()
        await topics.stop()
        await queues.close()


HELP: dict[str, tuple[str, type[Settings]]] = {
    "materialize": ("Kafka to ClickHouse", MaterializeSettings),
    "route": ("Kafka to SQS", RouteSettings),
    "ledger": ("what became of deliveries, Kafka to ClickHouse", LedgerSettings),
    "setup": ("topics and tables, once", SetupSettings),
}


def asked(arguments: Sequence[str]) -> argparse.Namespace:
    """What the command line asks for; with `--help` its settings. Exits 2 when it is none."""
    parser = argparse.ArgumentParser(prog="python -m processors", description=__doc__)
    commands = parser.add_subparsers(dest="processor", metavar="processor", required=True)
    for name, (about, model) in HELP.items():
        commands.add_parser(
            name,
            help=about,
            description=about,
            epilog=settings_text(model),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
    command_line.add(commands)
    return parser.parse_args(arguments)


@contextlib.asynccontextmanager
async def beside(work: Callable[[], Awaitable[None]], consume: Consume) -> AsyncIterator[None]:
    """Do what never ends for as long as the context is open: see to what is behind or owed."""

    async def run() -> None:
        try:
            await work()
        except Exception as error:  # a bug: undone, what waits would wait for ever
            consume.fail(error)

    working = asyncio.create_task(run(), name="beside the consumer")
    try:
        yield
    finally:
        working.cancel()
        await asyncio.wait({working}, timeout=STOP_TIMEOUT_S)


def main() -> None:
    """Run one processor; ends when it is stopped, or with the error that stopped it."""
    command = asked(sys.argv[1:])
    if "run" in command:
        sys.exit(command.run(command))
    processor = command.processor
    configure(processor)
    tune((500_000, 20, 100))  # a batch is many objects and no cycles
    try:
        if processor == "materialize":
            uvloop.run(materialize(load_or_exit(MaterializeSettings)))
        elif processor == "route":
            uvloop.run(route(load_or_exit(RouteSettings)))
        elif processor == "ledger":
            uvloop.run(ledger(load_or_exit(LedgerSettings)))
        else:
            uvloop.run(setup(load_or_exit(SetupSettings)))
    except Halt as error:  # no bug: what to do is all that there is to say
        log.error("%s", error)
        sys.exit(1)


if __name__ == "__main__":
    main()
