"""A strict SQS that does wrong what AWS may: each outcome, and what arrived of it.

ElasticMQ is not asked here: it neither throttles nor denies, loses no answer and checks no signature.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bench.certificate import a_certificate
from contracts.destinations import SqsDestination
from processors.deliver.destinations.sqs import facts
from processors.deliver.destinations.sqs.queues import SqsQueues
from service.connections import SqsConnection
from tests.fakes.sqs import StrictSqs
from tests.fakes.sqs_queue import DEDUPLICATED_S
from tests.queues import arn
from tests.sqs import a_delivery, states

DEADLINE_S = 60


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch) -> Iterator[StrictSqs]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "local")
    with StrictSqs().served() as strict:
        yield strict


@pytest.fixture
async def queues(sqs: StrictSqs) -> AsyncIterator[SqsQueues]:
    made = SqsQueues(SqsConnection(endpoint_url=sqs.url, read_timeout_s=DEADLINE_S), 4)
    yield made
    await made.close()


def to(name: str) -> SqsDestination:
    return SqsDestination(type="sqs", arn=arn(name))


SENT = [a_delivery(n, str(n)) for n in range(10)]


@pytest.mark.parametrize(
    ("code", "state"),
    [
        ("RequestThrottled", "again"),
        ("KmsThrottled", "again"),
        ("ServiceUnavailable", "again"),
        ("InternalError", "again"),
        ("AccessDenied", "not_now"),
        ("KmsDisabled", "not_now"),
        ("InvalidSecurity", "not_now"),
        ("KmsThrottledForEver", "not_now"),  # unknown: nothing is lost, nothing is burnt
    ],
)
async def test_what_is_said_of_a_call_is_said_of_all_its_messages(
    sqs: StrictSqs, queues: SqsQueues, code: str, state: str
) -> None:
    queue = sqs.create("q")
    assert states(await queues.send(to("q"), SENT)) == ["sent"] * 10
    queue.faults.refuse = code
    outcomes = await queues.send(to("q"), SENT)
    assert {(each.state, each.code) for each in outcomes} == {(state, code)}
    assert len(queue.taken) == 10


@pytest.mark.parametrize(
    ("code", "state"), [("ServiceUnavailable", "again"), ("AccessDenied", "not_now")]
)
async def test_a_queue_that_cannot_be_looked_up_has_an_outcome_as_well(
    sqs: StrictSqs, queues: SqsQueues, code: str, state: str
) -> None:
    queue = sqs.create("q")
    queue.faults.refuse = code
    outcomes = await queues.send(to("q"), SENT)
    assert {(each.state, each.code) for each in outcomes} == {(state, code)}
    queue.faults.refuse = ""
    assert states(await queues.send(to("q"), SENT)) == ["sent"] * 10


async def test_entries_fail_alone_by_whose_fault_it_is(sqs: StrictSqs, queues: SqsQueues) -> None:
    queue = sqs.create("q")
    queue.faults.failing, queue.faults.refusing = 0.3, 0.3
    outcomes = []
    for _ in range(10):
        outcomes += await queues.send(to("q"), SENT)
    assert {(each.state, each.code) for each in outcomes} == {
        ("sent", ""),
        ("again", "InternalError"),
        ("never", "InvalidParameterValue"),
    }
    sent = [each.delivery.body for each in outcomes if each.state == "sent"]
    assert [each["MessageBody"] for each in queue.taken] == sent


async def test_a_lost_answer_may_have_been_sent_and_is_tried_again(
    sqs: StrictSqs, queues: SqsQueues
) -> None:
    queue = sqs.create("q")
    await queues.send(to("q"), SENT)
    queue.faults.lost = 1.0
    outcomes = await queues.send(to("q"), SENT)
    assert {(each.state, each.code) for each in outcomes} == {("again", "NoAnswer")}
    assert len(queue.taken) == 20  # once more, and by nobody a third time
    queue.faults.lost = 0.0
    assert states(await queues.send(to("q"), SENT)) == ["sent"] * 10


async def test_a_call_has_a_deadline(sqs: StrictSqs) -> None:
    queue = sqs.create("q")
    queues = SqsQueues(SqsConnection(endpoint_url=sqs.url, read_timeout_s=0.5), 1)
    while states(await queues.send(to("q"), SENT[:1])) != ["sent"]:
        pass  # a slow machine
    queue.faults.slow_s = DEADLINE_S
    [outcome] = await queues.send(to("q"), SENT[:1])
    assert (outcome.state, outcome.code) == ("again", "NoAnswer")
    assert "Timeout" in outcome.message
    await queues.close()


async def test_nobody_there_is_no_answer(sqs: StrictSqs) -> None:
    queues = SqsQueues(SqsConnection(endpoint_url="http://127.0.0.1:9"), 1)
    [outcome] = await queues.send(to("q"), SENT[:1])
    assert (outcome.state, outcome.code) == ("again", "NoAnswer")
    await queues.close()


async def test_a_batch_that_is_too_long_is_halved_until_it_is_not(
    sqs: StrictSqs, queues: SqsQueues
) -> None:
    queue = sqs.create("q.fifo")
    queue.faults.singles = True
    assert states(await queues.send(to("q.fifo"), SENT)) == ["sent"] * 10
    assert [each["MessageBody"] for each in queue.taken] == [each.body for each in SENT]
    assert max(queue.batches) == 10


async def test_one_that_is_too_long_alone_is_never_sent(sqs: StrictSqs, queues: SqsQueues) -> None:
    queue = sqs.create("q")
    await queues.send(to("q"), SENT)
    queue.faults.refuse = "BatchRequestTooLong"
    outcomes = await queues.send(to("q"), SENT)
    assert {(each.state, each.code) for each in outcomes} == {("never", "BatchRequestTooLong")}


async def test_what_comes_after_a_failure_does_not_overtake_it(
    sqs: StrictSqs, queues: SqsQueues
) -> None:
    queue = sqs.create("q.fifo")
    queue.faults.failing = 1.0
    outcomes = await queues.send(to("q.fifo"), SENT + [a_delivery(n) for n in range(10, 30)])
    assert states(outcomes) == ["again"] * 30
    assert queue.batches == [10]


async def test_batches_are_packed_by_the_bytes_that_the_queue_takes(
    sqs: StrictSqs, queues: SqsQueues
) -> None:
    queue = sqs.create("q", MaximumMessageSize=str(300_000))
    large = [a_delivery(n, "ü" * 60_000) for n in range(6)]
    assert states(await queues.send(to("q"), large)) == ["sent"] * 6
    assert queue.batches == [2, 2, 2]


async def test_a_repeat_within_five_minutes_is_dropped_also_when_the_first_is_deleted(
    sqs: StrictSqs, queues: SqsQueues
) -> None:
    queue = sqs.create("q.fifo")
    await queues.send(to("q.fifo"), SENT[:1])
    [message] = queue.receive(1, sqs.now_s)
    queue.delete(message.receipt)
    sqs.now_s += DEDUPLICATED_S - 1
    assert states(await queues.send(to("q.fifo"), SENT[:1])) == ["sent"]
    assert queue.messages == []
    sqs.now_s += 1
    assert states(await queues.send(to("q.fifo"), SENT[:1])) == ["sent"]
    assert len(queue.messages) == 1


async def test_a_clock_that_is_wrong_is_put_right_by_the_answer(
    sqs: StrictSqs, queues: SqsQueues
) -> None:
    sqs.create("q")
    await queues.send(to("q"), SENT)
    for sqs.skew_s in (3600.0, -3600.0):
        assert states(await queues.send(to("q"), SENT)) == ["sent"] * 10
        assert states(await queues.send(to("q"), SENT)) == ["sent"] * 10
    assert len(sqs.calls) == 2 + 1 + 2 * 3  # each time one refusal


async def test_credentials_that_have_ended_are_read_anew(
    sqs: StrictSqs, queues: SqsQueues, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqs.create("q")
    await queues.send(to("q"), SENT)
    sqs.ended.add("local")
    sqs.keys["newer"] = "secret"
    outcomes = await queues.send(to("q"), SENT)
    assert {(each.state, each.code) for each in outcomes} == {("not_now", "ExpiredToken")}
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "newer")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert states(await queues.send(to("q"), SENT)) == ["sent"] * 10


async def test_a_wrong_secret_is_refused_and_loses_nothing(
    sqs: StrictSqs, queues: SqsQueues
) -> None:
    queue = sqs.create("q")
    await queues.send(to("q"), SENT)
    sqs.keys["local"] = "another"
    outcomes = await queues.send(to("q"), SENT)
    assert {(each.state, each.code) for each in outcomes} == {
        ("not_now", "InvalidSignatureException")
    }
    assert len(queue.taken) == 10


async def test_what_is_known_of_a_queue_is_kept(sqs: StrictSqs, queues: SqsQueues) -> None:
    sqs.create("q")
    for _ in range(3):
        await queues.send(to("q"), SENT)
    asked = [operation for operation, _ in sqs.calls]
    assert asked.count("GetQueueUrl") == asked.count("GetQueueAttributes") == 1


async def test_what_is_known_for_too_long_is_asked_anew_and_serves_while_nobody_answers(
    sqs: StrictSqs, queues: SqsQueues, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "KEPT_S", 0.0)
    monkeypatch.setattr(facts, "AGAIN_S", 0.0)
    queue = sqs.create("q")
    long = a_delivery(1, "x" * 2000)
    await queues.send(to("q"), [long])
    queue.attributes["MaximumMessageSize"] = "1024"
    sqs.unanswered = {"GetQueueUrl"}
    assert states(await queues.send(to("q"), [long])) == ["never"]
    sqs.unanswered.clear()
    async with asyncio.timeout(60):  # it is learnt meanwhile: nobody waits for it
        while states(await queues.send(to("q"), [long])) != ["sent"]:
            await asyncio.sleep(0.01)
    assert "claim_check" in queue.taken[-1]["MessageAttributes"]


async def test_a_queue_that_was_gone_is_looked_at_anew(sqs: StrictSqs, queues: SqsQueues) -> None:
    long = a_delivery(1, "x" * 2000)
    sqs.create("q")
    assert states(await queues.send(to("q"), [long])) == ["sent"]
    del sqs.queues["q"]
    assert states(await queues.send(to("q"), [long])) == ["not_now"]
    queue = sqs.create("q", MaximumMessageSize="1024")
    assert states(await queues.send(to("q"), [long])) == ["sent"]
    assert "claim_check" in queue.taken[-1]["MessageAttributes"]


async def test_where_the_limit_may_not_be_asked_the_least_is_assumed(
    sqs: StrictSqs, queues: SqsQueues
) -> None:
    queue = sqs.create("q")
    sqs.denied = {"GetQueueAttributes"}
    large = a_delivery(1, "x" * facts.BYTES_OF_OLD)
    assert states(await queues.send(to("q"), [*SENT, large])) == ["sent"] * 11
    assert "claim_check" in queue.taken[-1]["MessageAttributes"]


async def test_a_proxy_of_the_environment_is_gone_through(
    sqs: StrictSqs, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = sqs.create("q")
    monkeypatch.setenv("http_proxy", sqs.url)
    queues = SqsQueues(SqsConnection(endpoint_url="http://sqs.invalid"), 1)
    assert states(await queues.send(to("q"), SENT[:1])) == ["sent"]
    await queues.close()
    assert len(queue.taken) == 1


async def test_over_tls_with_the_authority_that_is_configured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = a_certificate(tmp_path)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "local")
    with StrictSqs().served(path) as sqs:
        queue = sqs.create("q")
        connection = SqsConnection(endpoint_url=sqs.url)
        refusing = SqsQueues(connection, 1)
        assert states(await refusing.send(to("q"), SENT[:1])) == ["again"]
        await refusing.close()
        monkeypatch.setenv("AWS_CA_BUNDLE", str(path))
        trusting = SqsQueues(connection, 1)
        assert states(await trusting.send(to("q"), SENT[:1])) == ["sent"]
        await trusting.close()
    assert len(queue.taken) == 1
