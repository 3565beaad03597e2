"""CPU of delivery to SQS: the whole hop of the real router, and its sender beside boto3's.

`python -m bench.deliver [--events N] [--hops H] [--batches N] [--rounds R]`. A process of its own answers at
once, over plain HTTP and over TLS. First the hop (see `bench.hop`): to a few queues, where batches
fill, and spread over 1,000. Then sending alone: rounds alternate; figures are medians of the CPU of this
process. Messages have a body of 1.2 KB and 7 attributes. Then the parts of a batch alone, without a network.
"""

import argparse
import asyncio
import contextlib
import datetime
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import boto3
import uvloop
from botocore.credentials import ReadOnlyCredentials
from rich.console import Console
from rich.table import Table

from bench import hop
from bench.certificate import a_certificate
from bench.instant_sqs import QUEUE_URL
from bench.servers import free_port_base, servers
from contracts.deliveries import Delivery
from contracts.destinations import SqsDestination
from processors.deliver.destinations.sqs.queues import SqsQueues, request
from processors.deliver.destinations.sqs.signing import signed
from processors.deliver.destinations.sqs.wire import HEADERS
from service.connections import SqsConnection
from service.memory import tune

IN_FLIGHT = 8
PER_BATCH = 10
START_TIMEOUT_S = 60
DESTINATION = SqsDestination(type="sqs", arn="arn:aws:sqs:eu-west-1:000000000000:q")


def batch() -> list[Delivery]:
    """Ten messages of 1.2 KB and 7 attributes."""
    body = '{"payload":"' + "x" * 1186 + '"}'
    attributes = {
        "tenant": "acme",
        "event_id": "01a20d33-994f-74a1-8936-e15ecec113da",
        "event_type": "ENTITY_EVENT",
        "event_source": "ORDER",
        "subscription_id": "5f1f7f0e-3df8-4f5c-9a55-6f4b0f0c2f9f",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "claim_check": "true",
    }
    return [Delivery(body, attributes, f"acme:{n}", (0, n)) for n in range(PER_BATCH)]


@contextlib.contextmanager
def instant(folder: Path, *options: str) -> Iterator[dict[str, str]]:
    """The server's URL by scheme."""
    base, path = free_port_base(), a_certificate(folder)
    argv = [sys.executable, "-m", "bench.instant_sqs", str(base), str(path), *options]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == "ready\n"
            os.environ["AWS_CA_BUNDLE"] = str(path)
            yield {
                "HTTP": f"http://127.0.0.1:{base}",
                "TLS": f"https://127.0.0.1:{base + 1}",
            }
        finally:
            server.terminate()
            server.wait(START_TIMEOUT_S)


async def ours(queues: SqsQueues, batches: int) -> None:
    """Send through our wire, some at once."""
    messages, left = batch(), iter(range(batches))

    async def lane() -> None:
        for _ in left:
            outcomes = await queues.send(DESTINATION, messages)
            assert {each.state for each in outcomes} == {"sent"}, outcomes[0].reason

    await asyncio.gather(*(lane() for _ in range(IN_FLIGHT)))


def boto3s(url: str) -> Callable[[int], Awaitable[None]]:
    """Sends as boto3 does it."""
    client = boto3.client("sqs", region_name="eu-west-1", endpoint_url=url)

    async def send(batches: int) -> None:
        for _ in range(batches):
            entries = [
                {
                    "Id": str(number),
                    "MessageBody": each.body,
                    "MessageAttributes": {
                        name: {"DataType": "String", "StringValue": text}
                        for name, text in each.attributes.items()
                    },
                }
                for number, each in enumerate(batch())
            ]
            answer = client.send_message_batch(QueueUrl=QUEUE_URL, Entries=entries)  # type: ignore[arg-type]
            assert len(answer["Successful"]) == PER_BATCH

    return send


async def measured(send: Callable[[int], Awaitable[None]], batches: int) -> float:
    """CPU microseconds per message."""
    await send(IN_FLIGHT)  # connections, caches
    started_s = time.process_time()
    await send(batches)
    return (time.process_time() - started_s) / batches / PER_BATCH * 1e6


def parts(batches: int) -> dict[str, float]:
    """CPU microseconds per message of what needs no network."""
    messages = batch()
    body = request(QUEUE_URL, messages, is_fifo=False)
    keys, now = ReadOnlyCredentials("local", "local", None), datetime.datetime.now(datetime.UTC)
    works: dict[str, Callable[[], object]] = {
        "request": lambda: request(QUEUE_URL, messages, is_fifo=False),
        "signature": lambda: signed(keys, "eu-west-1", "http://127.0.0.1/", HEADERS, body, now),
    }
    found = {}
    for name, work in works.items():
        started_s = time.process_time()
        for _ in range(batches):
            work()
        found[name] = (time.process_time() - started_s) / batches / PER_BATCH * 1e6
    return found


async def rounds(urls: dict[str, str], batches: int, count: int) -> dict[str, list[float]]:
    """Each way of sending, in turns."""
    found: dict[str, list[float]] = {}
    queues = {
        name: SqsQueues(SqsConnection(endpoint_url=url), IN_FLIGHT) for name, url in urls.items()
    }
    clients = {name: boto3s(url) for name, url in urls.items()}
    for _ in range(count):
        for name in urls:

            async def send(batches: int, name: str = name) -> None:
                await ours(queues[name], batches)

            found.setdefault(f"ours, {name}", []).append(await measured(send, batches))
            boto3_us = await measured(clients[name], batches // 10)
            found.setdefault(f"boto3, {name}", []).append(boto3_us)
        for name, us in parts(batches).items():
            found.setdefault(f"of ours: {name}", []).append(us)
    for each in queues.values():
        await each.close()
    return found


def hops(urls: dict[str, str], events: int, count: int) -> Table:
    """The whole hop over HTTP and over TLS, in turns."""
    table = Table("hop", "us of CPU per message", "least", "most", "messages/s, most")
    with servers() as (where, ports, _):
        for spread, name in ((False, "few queues"), (True, "1,000 queues")):
            load = hop.load(spread=spread)
            ids = uvloop.run(hop.subscribe(where.kafka, load.patterns))
            found: dict[str, list[hop.Hop]] = {scheme: [] for scheme in urls}
            for _ in range(count):
                for scheme, url in urls.items():
                    uvloop.run(hop.begin_at_end(where.kafka))
                    uvloop.run(hop.fill(where.kafka, load.bodies, events))
                    owed = load.messages_of(events)
                    found[scheme].append(hop.measured(ports, url, owed))
            uvloop.run(hop.unsubscribe(where.kafka, ids))
            for scheme, each in found.items():
                us = [one.us for one in each]
                figures = (f"{one:.1f}" for one in (statistics.median(us), min(us), max(us)))
                most = max(one.per_s for one in each)
                table.add_row(f"{name}, {scheme}", *figures, f"{most:,.0f}")
    return table


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.deliver", description=__doc__)
    parser.add_argument("--batches", type=int, default=1000, help="of ten messages, in each round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--events", type=int, default=60_000, help="of each hop; 0 for no hops")
    parser.add_argument("--hops", type=int, default=3, help="of each kind")
    arguments = parser.parse_args()
    os.environ.update(AWS_ACCESS_KEY_ID="local", AWS_SECRET_ACCESS_KEY="local")
    tune()
    with (
        tempfile.TemporaryDirectory(prefix="events-bench-") as folder,
        instant(Path(folder)) as urls,
    ):
        if arguments.events:
            Console().print(hops(urls, arguments.events, arguments.hops))
        found = uvloop.run(rounds(urls, arguments.batches, arguments.rounds))
    table = Table("sending", "us of CPU per message", "least", "most")
    for name, each in sorted(found.items()):
        figures = (statistics.median(each), min(each), max(each))
        table.add_row(name, *(f"{us:.1f}" for us in figures))
    Console().print(table)


if __name__ == "__main__":
    main()
