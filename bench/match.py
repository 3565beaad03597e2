"""`python -m bench.match`: what it costs to find the subscriptions of an event, beside event-ruler.

Both get the same patterns and events from one file: mixed exact, prefix, wildcard, attribute and
numeric filters, of which an event matches a few. Ours gets decoded events, as the router has them;
event-ruler parses the JSON in its figure. CPU time of one thread, the median of rounds.
"""

import argparse
import json
import random
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

from bench import applied, ruler
from contracts.encoding.codec import EventJson, decode_draft, fill_defaults, named
from contracts.events import EventSource, EventType, Operation
from contracts.filters import Index, View, parse
from contracts.subscription_table import Subscriptions
from service.memory import tune

SUBSCRIPTIONS = (10, 1_000, 100_000)
EVENTS = 1_000
ROUNDS = 5
TENANTS = 10_000
LIMIT_US, LIMIT_GROWTH, LIMIT_NONE_US = 5.0, 3.0, 0.5
LIMIT_BYTES, LIMIT_APPLIED_S, APPLIED = 2048, 1.0, 10_000

STORES, COUNTRIES = 5_000, ("DE", "FR", "IT", "NL", "SE")


def an_event(random_: random.Random) -> dict[str, Any]:
    """A body as an integration posts it: five attributes, two of them numbers as texts."""
    return {
        "entity_id": f"{random_.choice(('ord', 'cus', 'prd'))}-{random_.randrange(200_000):06}",
        "entity_name": f"{random_.choice(('web', 'pos', 'app'))}/{random_.randrange(5_000)}/sync",
        "event_payload": {
            "key_attributes": {
                "correlationId": f"{random_.getrandbits(64):016x}",
                "store": str(random_.randrange(STORES)),
                "country": random_.choice(COUNTRIES),
                "amount": f"{random_.random() * 1_000_000:.2f}",
                "status": str(random_.choice((200, 400, 404, 409, 500, 502, 503))),
            },
            "operation": random_.choice(get_args(Operation)),
        },
        "event_source": random_.choice(get_args(EventSource)),
        "event_type": random_.choice(get_args(EventType)),
    }


def a_pattern(random_: random.Random, number: int) -> dict[str, Any]:
    """The kinds in turn."""
    type_ = [random_.choice(get_args(EventType))]
    source = [random_.choice(get_args(EventSource))]
    entity = f"{random_.choice(('ord', 'cus', 'prd'))}-{random_.randrange(200_000):06}"
    amount = round(random_.random() * 1_000_000, 2)
    kinds: tuple[Callable[[], dict[str, Any]], ...] = (
        lambda: {"entity_id": [entity], "event_type": type_},
        lambda: {"event_source": source, "entity_id": [{"prefix": entity[:9]}]},
        lambda: {
            "entity_name": [{"wildcard": f"*/{random_.randrange(5_000)}/*"}],
            "event_type": type_,
        },
        lambda: {
            "event_type": type_,
            "key_attributes": {
                "store": [str(random_.randrange(STORES))],
                "country": [random_.choice(COUNTRIES)],
                "status": [{"prefix": "5"}],
            },
        },
        lambda: {
            "event_source": source,
            "key_attributes": {"amount": [{"numeric": [">", amount, "<=", amount + 50]}]},
        },
    )
    return kinds[number % len(kinds)]()


def write(path: Path, seed: int = 1) -> None:
    """The file that both read: a line of patterns, a line of events."""
    random_ = random.Random(seed)
    patterns = [a_pattern(random_, number) for number in range(max(SUBSCRIPTIONS))]
    events = [an_event(random_) for _ in range(EVENTS)]
    path.write_text(f"{json.dumps(patterns)}\n{json.dumps(events)}\n")


def cpu_us(run: Callable[[], object], count: int, rounds: int = ROUNDS) -> float:
    """Microseconds of CPU for one of `count`."""
    return statistics.median(_once(run) for _ in range(rounds)) / count * 1e6


def _once(run: Callable[[], object]) -> float:
    start = time.thread_time()
    run()
    return time.thread_time() - start


def ours(patterns: list[Any], events: list[EventJson]) -> Iterator[tuple[str, float, float | None]]:
    """What is measured, the figure, and its limit."""
    few = None
    for count in SUBSCRIPTIONS:
        index = Index()
        for number, pattern in enumerate(patterns[:count]):
            index.put("t", str(number), parse(pattern))
        us = cpu_us(partial(matched, index, "t", events), len(events))
        few = few or us
        limit = LIMIT_US if count == SUBSCRIPTIONS[0] else few * LIMIT_GROWTH
        yield f"us per event, {count} subscriptions of one tenant", us, limit
        hits = matched(index, "t", events) / len(events)
        yield f"matches per event, {count} subscriptions", hits, None
    us = cpu_us(lambda: matched(index, "other", events), len(events))
    yield "us per event of a tenant without subscriptions", us, LIMIT_NONE_US
    start = time.thread_time()
    for number in range(1_000):
        index.put("t", str(number), parse(patterns[number + 1]))
    yield "us per change of one among them", (time.thread_time() - start) * 1e3, None
    spread = Index()
    for number, pattern in enumerate(patterns):
        spread.put(f"t{number % TENANTS}", str(number), parse(pattern))
    us = cpu_us(
        lambda: sum(matched(spread, f"t{n}", [e]) for n, e in enumerate(events)), len(events)
    )
    yield (
        f"us per event, {len(patterns)} over {TENANTS} tenants",
        us,
        few * LIMIT_GROWTH if few else None,
    )


def matched(index: Index, tenant: str, events: list[EventJson]) -> int:
    """Subscriptions that all events matched."""
    return sum([len(index.matching(tenant, View(event))) for event in events])


def applying(patterns: list[Any]) -> Iterator[tuple[str, float, float | None]]:
    """Records of the topic into a table, and of that patterns from JSON into an index.

    Time, then memory in a run of its own. The garbage collector is set as in our services.
    """
    tune()
    bodies = [json.dumps(pattern) for pattern in patterns[:APPLIED]]
    records = applied.topic(patterns[:APPLIED])

    def index() -> Index:
        index = Index()
        for number, body in enumerate(bodies):
            index.put("t", str(number), parse(json.loads(body), limited=False))
        return index

    def table() -> Subscriptions:
        return applied.apply(records)

    for make, what, limit in (
        (table, "from their records", LIMIT_APPLIED_S),
        (index, "the index's part", None),
    ):
        took_s = cpu_us(make, 1, 3) / 1e6
        yield f"s of CPU, {APPLIED} subscriptions applied, {what}", took_s, limit
        yield f"bytes per subscription, {what}", held_bytes(make) / APPLIED, LIMIT_BYTES


def held_bytes(make: Callable[[], object]) -> int:
    """Memory of what is made, without what the caches of the module have from the first time."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    made = make()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    del made
    return after - before


def main() -> None:
    """Measure and print; the exit status tells whether every limit was kept."""
    arguments = argparse.ArgumentParser(prog="python -m bench.match", description=__doc__)
    arguments.add_argument("--no-ruler", action="store_true", help="without event-ruler")
    options = arguments.parse_args()
    missed = False
    with TemporaryDirectory() as folder:
        path = Path(folder) / "match.jsonl"
        write(path)
        patterns, bodies = (json.loads(line) for line in path.read_text().splitlines())
        events = [named(decode_draft(json.dumps(body)), "") for body in bodies]
        for event in events:
            fill_defaults(event)
        for about, figure, limit in (*ours(patterns, events), *applying(patterns)):
            kept = limit is None or figure <= limit
            missed |= not kept
            note = "" if limit is None else f"  limit {limit:.2f}{'' if kept else '  MISSED'}"
            print(f"{about:60} {figure:10.2f}{note}", flush=True)
        if not options.no_ruler:
            for count in SUBSCRIPTIONS:
                us, hits = ruler.measure(patterns[:count], bodies, ROUNDS)
                print(f"{f'event-ruler: us per event, {count} rules':60} {us:10.2f}")
                print(f"{'event-ruler: matches per event':60} {hits:10.2f}", flush=True)
    sys.exit(missed)


if __name__ == "__main__":
    main()
