"""What Kafka keeps of who is behind, read by who gets partitions."""

import asyncio
import logging

from contracts.topics import DELIVERIES_RETRY, EVENTS, ROUTE_GROUP
from processors.consume.step import Transient
from processors.deliver.place import Behind, Place, Told
from processors.deliver.places import Places
from processors.deliver.reader import RECORDS_MAX, Reader, Source

log = logging.getLogger(__name__)


async def kept(reader: Reader) -> tuple[dict[Place, Behind], dict[int, int], int]:
    """Places that are behind, the offsets that the group has committed, and the number of partitions.

    Raises `Transient`.
    """
    async with reader.source() as source:
        found = await read_places(source)
        return found, await source.committed(ROUTE_GROUP), len(await source.bounds(EVENTS))


async def learn(reader: Reader, places: Places, again_s: float) -> float | None:
    """Who is behind in our partitions, trying again while Kafka fails; which share of all those are.

    None when others have them by then.
    """
    generation = places.generation
    while generation == places.generation and not places.known:
        try:
            await places.claim()
            found, routed, partitions = await kept(reader)
        except Transient as error:
            log.warning("who is behind cannot be read: %s", error)
            await asyncio.sleep(again_s)
            continue
        if generation == places.generation:
            places.learn(found, routed)
            return len(places.partitions) / partitions
    return None


async def read_places(source: Source) -> dict[Place, Behind]:
    """Places that are behind. Raises `Transient`."""
    found = Told()
    for number, (first, end) in (await source.bounds(DELIVERIES_RETRY)).items():
        async for batch in source.read(DELIVERIES_RETRY, number, first, end, RECORDS_MAX):
            for record in batch:
                try:
                    found.apply(record)
                except ValueError as error:
                    at = record.offset
                    log.error("%s at %d is passed over: %s", DELIVERIES_RETRY, at, error)
    return found.places
