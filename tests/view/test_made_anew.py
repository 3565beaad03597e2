"""F1: the topic of events is deleted and made anew. Nothing of it is taken for the old log's."""

import contextlib
import json
from collections.abc import Iterator

import pytest

from contracts.encoding.wire import decode_event
from tests import stack as stacks
from tests.builders import many_events
from tests.stack import Stack, events, eventually
from tests.view.conftest import View
from tests.view.topic import Copied, copy, make_anew

pytestmark = pytest.mark.long

REFUSED = "it was deleted and made anew, or this is another cluster"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[View]:
    """A stack whose topic may go: `view` is the whole session's."""
    running = stacks.start(tmp_path_factory.mktemp("anew") / "home")
    yield View(running)
    stacks.stop(running)


def said(stack: Stack) -> list[str]:
    """Each time that the materializer has refused a log: its message."""
    lines = (stack.home / "logs" / "materialize.log").read_text().splitlines()
    logged = [json.loads(line)["message"] for line in lines if line.startswith("{")]
    return [message for message in logged if REFUSED in message]


def accept(view: View, kind: str, code: int = 0) -> str:
    """What `events accept-log` prints."""
    answer = events("accept-log", kind, home=view.stack.home)
    assert answer.returncode == code, answer.stderr
    return answer.stdout + answer.stderr


def refused(view: View, times: int) -> None:
    """The materializer has said so once more than `times`, and so do the commands."""
    message = eventually(lambda: said(view.stack), until=lambda found: len(found) > times)[-1]
    topic = message.partition(", and the table's rows")[0]
    for command in (["audit"], ["audit", "--to-end"], ["rebuild", "--yes"]):
        answer = events(*command, home=view.stack.home)
        assert answer.returncode == 2
        assert answer.stdout == ""
        for part in (topic, REFUSED, "accept-log new", "accept-log copy"):
            assert part in answer.stderr


def post(view: View, tenant: str, count: int) -> None:
    """Post events of which none may be stored yet."""
    body = "[" + ",".join(many_events(count)) + "]"
    with view.stack.client(tenant) as client:
        assert client.post("/api/v1/events:batch", content=body).status_code == 201


def stored(view: View, tenant: str, count: int) -> None:
    """Wait for the tenant's rows: a processor that has ended often is started again after a while."""
    eventually(
        lambda: view.stack.counts(tenant),
        until=lambda counts: counts == (count, count),
        within_s=180,
    )


@pytest.mark.parametrize("materializer", ["running", "stopped"])
def test_a_log_made_anew_is_stored_when_somebody_accepts_it_beside_the_old_one(
    own: View, tenant: str, materializer: str
) -> None:
    """On the old code 40 of 60 were never shown, nothing said so, and a rebuild dropped the old rows."""
    stack, times = own.stack, len(said(own.stack))
    post(own, tenant, 60)
    stored(own, tenant, 60)
    old = own.audit("--to-end")
    rows = own.one("SELECT toUInt32(count()) FROM events")
    with contextlib.ExitStack() as meanwhile:
        if materializer == "stopped":
            pid = stack.pid("materialize")
            meanwhile.callback(stack.kill, "materialize", pid)
            meanwhile.enter_context(stack.freeze("materialize"))
        make_anew(stack)
        stack.kill("api")
        post(own, tenant, 40)
    refused(own, times)
    assert own.one("SELECT toUInt32(count()) FROM events") == rows
    assert accept(own, "new").startswith("Accepted as log ")
    stored(own, tenant, 100)
    account = own.audit("--to-end")
    assert account["topic_id"] != old["topic_id"]
    assert account["counts"]["stored"] == 40
    assert sum(account["other_logs"].values()) == rows
    again = own.rebuild()
    assert again["other_logs"] == account["other_logs"]
    assert stack.counts(tenant) == (100, 100)
    assert own.audit("--to-end")["ranges"] == account["ranges"]
    assert own.stack.sql("SELECT count() FROM events FINAL") == own.stack.sql(
        "SELECT count() FROM events"
    )


def test_a_log_restored_from_a_copy_goes_on_and_nothing_is_double(own: View, tenant: str) -> None:
    """The counter-example: another id, and the same log. A log that only looks like it is refused."""
    stack, times = own.stack, len(said(own.stack))
    post(own, tenant, 50)
    stored(own, tenant, 50)
    before = own.audit("--to-end")
    records = copy(stack)
    make_anew(stack, altered(records, tenant))
    refused(own, times)
    told = accept(own, "copy", code=1)
    at = next(each for each in records if belongs(each, tenant))
    assert f"altered, partition {at.partition} offset {at.offset}" in told
    make_anew(stack, records)
    stack.kill("api")
    accept(own, "copy")
    post(own, tenant, 10)
    stored(own, tenant, 60)
    after = own.audit("--to-end")
    assert after["topic_id"] != before["topic_id"]
    assert after["counts"]["stored"] == before["counts"]["stored"] + 10
    assert after["other_logs"] == before["other_logs"]
    own.rebuild()
    assert stack.counts(tenant) == (60, 60)


def test_a_copy_that_ends_too_early_is_none(own: View, tenant: str) -> None:
    post(own, tenant, 20)
    stored(own, tenant, 20)
    own.audit("--to-end")
    records = copy(own.stack)
    partition = records[-1].partition
    make_anew(own.stack, records[:-1])
    assert f"of partition {partition}, the log ends at" in accept(own, "copy", code=2)
    make_anew(own.stack, records)
    own.stack.kill("api")
    accept(own, "copy")
    post(own, tenant, 5)
    stored(own, tenant, 25)


def belongs(record: Copied, tenant: str) -> bool:
    return dict(record.headers)["ce_tenant"] == tenant.encode()


def altered(records: list[Copied], tenant: str) -> list[Copied]:
    """The same, but that the tenant's first event is about another entity."""
    number = next(n for n, each in enumerate(records) if belongs(each, tenant))
    value = records[number].value
    event = decode_event(value)
    assert value is not None
    other = value.replace(event.entity_id.encode(), b"x" * len(event.entity_id.encode()), 1)
    assert other != value
    return [*records[:number], records[number]._replace(value=other), *records[number + 1 :]]
