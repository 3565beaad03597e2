"""Fifty queues of which five are bad, from before the router starts: the others get everything meanwhile."""

import uuid

import pytest

from contracts.encoding.codec import DraftJson
from tests.fakes.sqs_queue import Faults
from tests.faults.deliveries import TENANTS, Rule, Subscriber
from tests.faults.routing import DONE_S, routing
from tests.faults.servers import Servers

QUEUES = 50
APPENDED = 160
ROUNDS = 3
SILENT = {"refuse": "ServiceUnavailable", "slow_s": 60.0}
BAD = (
    SILENT,
    {"slow_s": 2.0},
    {"refuse": "RequestThrottled"},
    {"refuse": "AccessDenied"},
    {"failing": 0.5},
)


def of_entity(number: int) -> Rule:
    """Events of one entity."""

    def accepts(event: DraftJson) -> bool:
        return event.entity_id == str(number)

    return Rule({"entity_id": [str(number)]}, accepts)


def subscribers() -> list[Subscriber]:
    """A queue for each entity, every third of them FIFO."""
    suffix = uuid.uuid4().hex[:8]
    return [
        Subscriber(
            TENANTS[number % 2],
            str(uuid.uuid4()),
            f"q{number}-{suffix}{'' if number % 3 else '.fifo'}",
            of_entity(number // 2),
        )
        for number in range(QUEUES)
    ]


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(BAD, id="of five kinds"),
        pytest.param((SILENT,) * 5, id="silent", marks=pytest.mark.long),
    ],
)
async def test_forty_five_queues_get_everything_while_five_are_bad(
    servers: Servers, bad: tuple[dict[str, float | str], ...]
) -> None:
    async with routing(servers, subscribers()) as story:
        counted = story.deliveries
        names = [each.queue for each in counted.subscribers]
        for name, faults in zip(names[:: QUEUES // len(bad)], bad, strict=True):
            counted.live[name].faults = Faults(**faults)  # type: ignore[arg-type]
        ill = {name for name in names if counted.live[name].faults != Faults()}
        assert len(ill) == len(bad)
        well = {each.id for each in counted.subscribers if each.queue not in ill}
        story.start()
        for _ in range(ROUNDS):
            owed = await counted.append(APPENDED)
            await counted.until_complete(DONE_S, {each for each in owed if each[0] in well})
        assert not any(counted.live[name].taken for name in ill if counted.live[name].faults.refuse)
        for name in ill:
            counted.live[name].faults = Faults()
        await story.complete()
        verdict = counted.verdict()
        assert verdict.complete, str(verdict)
        assert (verdict.delivered, verdict.twice) == (verdict.owed, 0)
