"""Attacks with the filter of a subscription: little that becomes much, or takes long to be understood."""

import json
from typing import Any

import pytest

from tests.attacks.table import SUBSCRIPTIONS, Case, Door, post, run
from tests.queues import arn


def filtered(filter_: Any) -> bytes:
    """A subscription with this filter, which is JSON or already text."""
    text = filter_ if isinstance(filter_, str) else json.dumps(filter_, ensure_ascii=False)
    destination = json.dumps({"type": "sqs", "arn": arn("q")})
    return f'{{"name":"x","filter":{text},"destination":{destination}}}'.encode()


def wildcards(*texts: str) -> list[dict[str, str]]:
    return [{"wildcard": text} for text in texts]


def letters(number: int, count: int = 2000) -> str:
    """Different letters beyond ASCII."""
    return "".join(chr(0x4E00 + number * count + each) for each in range(count))


NESTED_OR: dict[str, Any] = {"fault": {"x": ["1"]}}
for level in range(12):
    NESTED_OR = {"$or": [NESTED_OR, {"fault": {f"y{level}": ["1"]}}]}

FILTERS = {
    "stars": {"entity_id": wildcards("*a" * 4000)},
    "one star and many letters": {"entity_id": wildcards("*" + "ab" * 4000)},
    "wildcards of many letters": {"entity_id": wildcards(*("*" + letters(n) for n in range(5)))},
    "wildcards of many fields": {
        "key_attributes": {
            f"f{n}": wildcards(*(f"*{each}{'ab' * 50}*" for each in range(4))) for n in range(60)
        }
    },
    "anything but wildcards": {
        "entity_id": [{"anything-but": {"wildcard": [f"*{n}{'a' * 500}" for n in range(100)]}}]
    },
    "a regular expression": {"entity_id": [{"regex": "(a+)+$"}]},
    "two stars": {"entity_id": wildcards("a**b")},
    "many branches": {"$or": [{"entity_id": ["a"]}] * 1500},
    "branches multiplied": {
        "payload": {"$or": [{f"a{n}": ["1"]} for n in range(60)]},
        "fault": {"$or": [{f"a{n}": ["1"]} for n in range(60)]},
    },
    "many fields": {"payload": {f"f{n}": ["1"] for n in range(4000)}},
    "a long name": {"payload": {"n" * 60_000: ["1"]}},
    "a long text": {"entity_id": ["x" * 60_000]},
    "many blocks": {"entity_id": [{"cidr": "0.0.0.0/0"}] * 1500},
    "a number of many digits": '{"payload":{"n":[' + "9" * 4000 + "]}}",
    "a deep object": '{"payload":' + '{"a":' * 90 + "[1]" + "}" * 91,
    "a list in a list": '{"entity_id":' + "[" * 90 + "1" + "]" * 90 + "}",
}
CASES = [Case(name, post(filtered(each), SUBSCRIPTIONS), 405) for name, each in FILTERS.items()]
CASES += [
    Case("or in or", post(filtered(NESTED_OR), SUBSCRIPTIONS), 201),
    Case(
        "a repeated field",
        post(filtered('{"entity_id":["a"],"entity_id":["b"]}'), SUBSCRIPTIONS),
        400,
    ),
    Case("100 kB", post(filtered({"entity_id": ["x" * 100_000]}), SUBSCRIPTIONS), 413),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_attack(case: Case, door: Door) -> None:
    run(case, door)
