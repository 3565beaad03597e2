"""Partitions are added under an entity that moves: its ids come again, and stay one event each."""

import time
from collections.abc import Iterator

import pytest
from uuid_utils import uuid7

from contracts.encoding.recordbatch import Record
from tests import stack as stacks
from tests.builders import an_event
from tests.stack import events, eventually
from tests.view.conftest import View
from tests.view.records import append, record
from tests.view.shown import is_shown, rows, under, visible
from tests.view.topic import grow

pytestmark = pytest.mark.long

ENTITIES = 40


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[View]:
    """A stack whose topic may grow: `view` is the whole session's."""
    running = stacks.start(tmp_path_factory.mktemp("growth") / "home")
    yield View(running)
    stacks.stop(running)


def test_nothing_is_proven_while_a_new_partition_is_not_accounted_for(
    own: View, tenant: str
) -> None:
    """The old audit said Proven while 20 of 80 events were absent."""
    stack = own.stack

    def repeated(name: str, ids: list[str]) -> list[Record]:
        now_ms = time.time_ns() // 1_000_000
        return [
            record(tenant, an_event(entity_id=f"{n}", entity_name=name), event_id, now_ms)
            for n, event_id in enumerate(ids)
        ]

    with stack.client(tenant) as client:
        kept = [under(client, "key", entity_id=f"{n}") for n in range(ENTITIES)]
        erased = [under(client, "gone", entity_id=f"{n}") for n in range(ENTITIES)]
        for event_id in erased:
            eventually(
                lambda: client.delete(f"/api/v1/events/{event_id}").status_code,  # noqa: B023
                until=lambda status: status == 204,
            )
        visible(client, kept[-1])
        own.audit("--to-end")
        with stack.freeze("materialize"):
            number = grow(stack)
            fresh = [str(uuid7()) for _ in range(ENTITIES)]
            append(
                stack, *repeated("new", fresh), *repeated("key", kept), *repeated("gone", erased)
            )
            answer = events("audit", home=stack.home)
            assert answer.returncode == 2
            assert f"partition {number}" in answer.stderr
            assert "Proven" not in answer.stdout
            assert own.audit("--to-end", code=1)["counts"]["missing"] == ENTITIES
        account = eventually(
            lambda: own.audit(),
            until=lambda account: account["ranges"][number]["end"] > 0,
        )
        own.audit("--to-end")
        assert [rows(own, event_id) for event_id in kept] == [1] * ENTITIES
        assert {visible(client, event_id)["entity_name"] for event_id in kept} == {None}
        assert not any(is_shown(own, tenant, event_id) for event_id in erased)
        assert sum(rows(own, event_id) for event_id in erased) == 0
        assert account["counts"]["twice"] == 0
        own.rebuild()
        assert [rows(own, event_id) for event_id in kept] == [1] * ENTITIES
        assert sum(rows(own, event_id) for event_id in erased) == 0
