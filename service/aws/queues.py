"""A queue looked at from outside: is it there, does it fit, may we send; a finding for each.

AWS has no way to ask whether a message would be taken but to send one. Calls block: run them in a thread.
"""

import json
from typing import Any, Literal, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from contracts.destinations import SqsDestination
from contracts.ownership import now_text
from service.aws.roles import DENIED, Role, Roles, says

State = Literal["passed", "failed", "unknown"]
ATTRIBUTES = ("MaximumMessageSize", "FifoQueue", "KmsMasterKeyId", "SqsManagedSseEnabled")
LARGEST_BYTES = 1_048_576
TEST = {"test": {"DataType": "String", "StringValue": "true"}}
TEST_GROUP = "events-api-test"
GONE = ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue")


class Finding(NamedTuple):
    """`code` is AWS's own, or empty."""

    check: Literal["exists", "fifo", "size", "encryption", "may_send"]
    state: State
    detail: str
    code: str = ""


class Looker:
    """Looks, as the role where there is one, else with the credentials of AWS's standard chain."""

    def __init__(self, roles: Roles) -> None:
        self._roles = roles

    def look(
        self, destination: SqsDestination, role: Role | None, send_test: bool
    ) -> list[Finding]:
        """What there is to find. Raises nothing of the network."""
        found: list[Finding] = []
        try:
            client = self._roles.sqs(destination.region, role)
        except (ClientError, BotoCoreError, ValueError) as error:
            return [_missed("exists", error)]
        try:
            url = client.get_queue_url(
                QueueName=destination.queue, QueueOwnerAWSAccountId=destination.account
            )["QueueUrl"]
            found.append(Finding("exists", "passed", "the queue is there"))
            found += _attributes(client, url, destination)
            found.append(_sent(client, url, destination) if send_test else NOT_SENT)
        except (ClientError, BotoCoreError) as error:
            found.append(_missed("exists", error))
        finally:
            client.close()
        return found


NOT_SENT = Finding("may_send", "unknown", "only a message tells: none was sent")


def _attributes(client: Any, url: str, destination: SqsDestination) -> list[Finding]:
    try:
        answer = client.get_queue_attributes(QueueUrl=url, AttributeNames=list(ATTRIBUTES))
    except ClientError as error:
        if says(error) in DENIED:
            detail = "sqs:GetQueueAttributes is not allowed, so size and encryption are not known"
            return [Finding("size", "unknown", detail, says(error))]
        raise
    told: dict[str, Any] = dict(answer.get("Attributes", {}))
    is_fifo = told.get("FifoQueue") == "true"
    return [
        Finding(
            "fifo",
            "passed" if is_fifo == destination.is_fifo else "failed",
            "a FIFO queue" if is_fifo else "a standard queue",
        ),
        Finding("size", "passed", _size(told)),
        Finding("encryption", "passed", _encryption(told)),
    ]


def _size(told: dict[str, Any]) -> str:
    if "MaximumMessageSize" not in told:  # SQS always says it, others may not
        return "it does not say how large messages may be; large events go as claim checks"
    largest = int(told["MaximumMessageSize"])
    kept = "" if largest >= LARGEST_BYTES else "; larger events go as claim checks"
    return f"messages up to {largest:,} bytes{kept}"


def _encryption(told: dict[str, Any]) -> str:
    if key := told.get("KmsMasterKeyId"):
        return f"with the key {key}: kms:GenerateDataKey and kms:Decrypt are needed on it"
    return "with SQS's own key" if told.get("SqsManagedSseEnabled") == "true" else "none"


def _sent(client: Any, url: str, destination: SqsDestination) -> Finding:
    """Send the one message that says it is a test."""
    at = now_text()
    body = json.dumps({"test": True, "at": at, "detail": "A test of Events API. Delete it."})
    group = {"MessageGroupId": TEST_GROUP, "MessageDeduplicationId": f"test-{at}"}
    more: Any = group if destination.is_fifo else {}
    try:
        answer = client.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=TEST, **more)
    except (ClientError, BotoCoreError) as error:
        return _missed("may_send", error)
    return Finding("may_send", "passed", f"a test message was sent: {answer['MessageId']}")


def _missed(
    check: Literal["exists", "may_send"], error: ClientError | BotoCoreError | ValueError
) -> Finding:
    """Failed where AWS refuses, unknown where it does not answer."""
    if isinstance(error, ValueError):
        return Finding(check, "unknown", str(error), "BadSettings")
    code, status = says(error), 0
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
    if code in GONE:
        return Finding(check, "failed", "there is no such queue", "QueueDoesNotExist")
    refused = code in DENIED or code.startswith(("Kms", "KMS."))
    if refused:
        return Finding(check, "failed", "it is not allowed, or the queue is not there", code)
    state: State = "failed" if 400 <= status < 500 and "hrottl" not in code else "unknown"
    return Finding(check, state, "AWS does not say", code)
