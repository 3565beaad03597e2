"""What SQS says, in all the forms that it has for it, and what that means."""

import json

import pytest

from contracts.deliveries import Delivery
from processors.deliver.destinations.sqs import queues
from processors.deliver.destinations.sqs.codes import (
    THROTTLED,
    UNFIT,
    meaning_of_entry,
    refusal_of,
)
from processors.deliver.outcomes import DENIED


def body(code: str, **more: str) -> bytes:
    return json.dumps({"__type": code, **more}).encode()


@pytest.mark.parametrize(
    ("status", "headers", "content", "verdict", "code"),
    [
        (400, {}, body("com.amazonaws.sqs#QueueDoesNotExist"), "not_now", "QueueDoesNotExist"),
        (
            400,
            {"x-amzn-query-error": "AWS.SimpleQueueService.NonExistentQueue;Sender"},
            b"",
            "not_now",
            "QueueDoesNotExist",
        ),
        (
            400,
            {"x-amzn-query-error": "AWS.SimpleQueueService.NonExistentQueue;Sender"},
            body("com.amazonaws.sqs#QueueDoesNotExist"),
            "not_now",
            "QueueDoesNotExist",
        ),
        (403, {"x-amzn-errortype": "AccessDenied:http://x/"}, b"{}", "not_now", "AccessDenied"),
        (
            400,
            {},
            body("com.amazon.coral.service#AccessDeniedException"),
            "not_now",
            "AccessDeniedException",
        ),
        (403, {}, body("RequestThrottled"), "again", "RequestThrottled"),
        (400, {}, body("com.amazonaws.sqs#KmsThrottled"), "again", "KmsThrottled"),
        (
            400,
            {},
            body("AWS.SimpleQueueService.BatchRequestTooLong"),
            "split",
            "BatchRequestTooLong",
        ),
        (400, {}, body("InvalidMessageContents"), "split", "InvalidMessageContents"),
        (400, {}, body("KmsAccessDeniedForNow"), "not_now", "KmsAccessDeniedForNow"),
        (400, {}, body("NotBatchRequestTooLong"), "not_now", "NotBatchRequestTooLong"),
        (503, {}, b"<html>", "again", "HTTP 503"),
        (500, {}, body("NobodyKnows"), "again", "NobodyKnows"),
        (429, {}, b"", "again", "HTTP 429"),
        (413, {}, b"", "split", "HTTP 413"),
        (302, {}, b"", "not_now", "HTTP 302"),
        (403, {}, b"\xff\xfe", "not_now", "HTTP 403"),
        (400, {}, b'{"__type": 7}', "not_now", "HTTP 400"),
    ],
)
def test_a_call_is_refused(
    status: int, headers: dict[str, str], content: bytes, verdict: str, code: str
) -> None:
    refusal = refusal_of(status, headers, content)
    assert (refusal.verdict, refusal.code) == (verdict, code)


@pytest.mark.parametrize("name", ["message", "Message"])
def test_the_message_is_kept(name: str) -> None:
    assert refusal_of(400, {}, body("AccessDenied", **{name: "why"})).message == "why"


@pytest.mark.parametrize(
    ("code", "sender_fault", "state"),
    [
        ("InvalidMessageContents", True, "never"),
        ("InternalError", False, "again"),
        ("Unheard", True, "never"),
        ("Unheard", False, "again"),
        ("RequestThrottled", True, "again"),
        ("KmsDisabled", True, "not_now"),
    ],
)
def test_an_entry_fails(code: str, sender_fault: bool, state: str) -> None:
    assert meaning_of_entry(code, sender_fault) == state


def test_no_code_means_two_things() -> None:
    assert len(THROTTLED | DENIED | UNFIT) == sum(map(len, (THROTTLED, DENIED, UNFIT)))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b"[]",
        b"\xff",
        b"{}",
        b'{"Successful": [{"Id": "7"}, {"Id": "x"}], "Failed": [{"Id": ""}]}',
        b'{"Successful": null}',
    ],
)
def test_of_a_message_that_an_answer_leaves_out_nothing_is_known(content: bytes) -> None:
    batch = [Delivery("b", {}, "", (0, n)) for n in range(2)]
    found = queues.read_outcomes(batch, content)
    assert [(each.state, each.code) for each in found] == [("again", "NoAnswer")] * 2
