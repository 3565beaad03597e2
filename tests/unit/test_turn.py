"""What a migration's turn does when ClickHouse does not answer, and what waiting for it costs."""

import json

import pytest

from processors.upkeep import turn as turns
from processors.upkeep.turn import turn
from service.clickhouse import ClickHouseFailed
from service.connections import ClickHouseConnection
from tests.recorder import Recorder, on_cluster
from tests.replicas import TakesTurns


class LosesAnswers(TakesTurns):
    """Runs the first statement and says nothing."""

    async def _run(self, method: str, *positional: object, **arguments: object) -> bytes:
        first = method == "command" and not self.writes
        answer = await super()._run(method, *positional, **arguments)
        if first:
            raise ClickHouseFailed("no answer within 30 s")
        return answer


async def test_a_turn_whose_answer_was_lost_is_had() -> None:
    server = LosesAnswers(ClickHouseConnection(), "main")
    async with turn(server, "events", lease_s=40):
        assert [sent.sql.split()[0] for sent in server.writes] == ["CREATE"]
    assert [sent.sql.split()[0] for sent in server.writes] == ["CREATE", "DROP"]


async def test_what_failed_in_the_turn_is_what_is_told() -> None:
    server = TakesTurns(ClickHouseConnection(), "main")

    async def fail() -> None:
        async with turn(server, "events", lease_s=40):
            server.failures = [ClickHouseFailed("away")] * 2
            raise ClickHouseFailed("the migration's own")

    with pytest.raises(ClickHouseFailed, match="the migration's own"):
        await fail()


async def test_who_waits_runs_no_statement_on_the_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "POLL_S", 0.001)
    server: Recorder = on_cluster({"metadata_modification_time": json.dumps(["other", 0]).encode()})
    with pytest.raises(ClickHouseFailed, match="others have migrated"):
        async with turn(server, "events", lease_s=0.02):
            raise AssertionError("had while another has it")
    assert len(server.reads) > 5
    assert not server.writes
