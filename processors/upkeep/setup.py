"""Creates what the services need: Kafka topics, ClickHouse database and tables. Safe to repeat."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from contracts.topics import Topic, topics
from processors.settings import SetupSettings
from processors.upkeep.migrate import Migrate
from service.clickhouse import ClickHouse, ClickHouseFailed

log = logging.getLogger(__name__)

PAUSE_S = 0.5


async def setup(settings: SetupSettings) -> None:
    """Create what is missing. Raises the last error when the servers stay away for `timeout_s`."""
    give_up = time.monotonic() + settings.timeout_s
    await asyncio.gather(
        _until(give_up, lambda: create_topics(settings)),
        _until(give_up, lambda: create_tables(settings)),
    )


async def _until(give_up: float, create: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            return await create()
        except (KafkaError, ClickHouseFailed, OSError) as error:
            if time.monotonic() > give_up:
                raise
            log.info("waiting for a server: %s", error)
        await asyncio.sleep(PAUSE_S)


async def create_topics(settings: SetupSettings) -> None:
    """Create the topics that are not there. Raises `KafkaError`."""
    admin = AIOKafkaAdminClient(**settings.kafka.client_args())
    await admin.start()
    try:
        wanted = topics(settings.topics)
        answer = await admin.create_topics([_new_topic(topic) for topic in wanted])
        for name, code, *_ in answer.topic_errors:
            error = for_code(code)
            if error is TopicAlreadyExistsError:
                log.info("topic %s is there", name)
            elif code:
                raise error(f"topic {name}")
            else:
                log.info("topic %s created", name)
    finally:
        await admin.close()


def _new_topic(topic: Topic) -> NewTopic:
    return NewTopic(topic.name, topic.partitions, topic.replication, topic_configs=topic.config)


async def create_tables(settings: SetupSettings) -> None:
    """Bring the database to this release's schema. Raises `ClickHouseFailed`, `SchemaRefused`."""
    clickhouse = ClickHouse(settings.clickhouse, settings.tables.cluster)
    migrate = Migrate(clickhouse, settings.clickhouse.database, settings.tables)
    try:
        for migration in await migrate.pending():
            if await migrate.apply(migration):
                log.info("migration %04d_%s applied", migration.number, migration.name)
        for statement in await migrate.retain():
            log.info("retention changed: %s", statement)
    finally:
        await clickhouse.close()
