"""What AWS refuses, at its border: our strict SQS refuses it too; what ElasticMQ says is noted beside it.

Asked with boto3, so that the fake is held to the service model's shapes.
"""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.fakes.sqs_rules import BYTES_MAX
from tests.sqs import Server

TEXT = {"DataType": "String", "StringValue": "v"}
LAX: list[str] = []
"""ElasticMQ takes it."""
OTHER = ["InvalidAttributeValue"]
"""ElasticMQ has another code for it."""


def entry(number: int = 0, body: str = "b", **more: Any) -> dict[str, Any]:
    return {"Id": str(number), "MessageBody": body, **more}


def with_attributes(**attributes: dict[str, str]) -> dict[str, Any]:
    return entry(MessageAttributes=attributes)


def named(count: int) -> dict[str, dict[str, str]]:
    return {f"a{n}": TEXT for n in range(count)}


def said(
    server: Server, entries: list[dict[str, Any]], kind: str = "", **attributes: str
) -> list[str]:
    """What a batch is answered: a code for the whole, or those of entries that failed."""
    queue = server.create(kind, **attributes).queue
    url = server.client.get_queue_url(QueueName=queue)["QueueUrl"]
    try:
        answer = server.client.send_message_batch(QueueUrl=url, Entries=entries)
    except ClientError as error:
        return [str(error.response["Error"]["Code"]).removeprefix("AWS.SimpleQueueService.")]
    return [each["Code"] for each in answer.get("Failed", [])]


@pytest.mark.parametrize(
    ("entries", "codes", "elsewhere"),
    [
        ([entry(n) for n in range(11)], ["TooManyEntriesInBatchRequest"], None),
        ([entry(1), entry(1)], ["BatchEntryIdsNotDistinct"], None),
        ([entry() | {"Id": "a b"}], ["InvalidBatchEntryId"], LAX),
        ([entry() | {"Id": "i" * 81}], ["InvalidBatchEntryId"], LAX),
        ([entry() | {"Id": "i" * 80}], [], None),
        ([entry(body="x" * (BYTES_MAX // 2)), entry(1, "x" * (BYTES_MAX // 2))], [], None),
        (
            [entry(body="x" * (BYTES_MAX // 2)), entry(1, "x" * (BYTES_MAX // 2 + 1))],
            ["BatchRequestTooLong"],
            OTHER,
        ),
        ([entry(body="ü" * (BYTES_MAX // 2))], [], None),
        ([entry(body="ü" * (BYTES_MAX // 2) + "x")], ["BatchRequestTooLong"], LAX),
        ([with_attributes(**named(10))], [], None),
        ([with_attributes(**named(11))], ["InvalidParameterValue"], OTHER),
        ([with_attributes(a=TEXT | {"StringValue": ""})], ["InvalidParameterValue"], OTHER),
        ([with_attributes(**{"AWS.x": TEXT})], ["InvalidParameterValue"], LAX),
        ([with_attributes(**{"a..b": TEXT})], ["InvalidParameterValue"], LAX),
        ([with_attributes(a=TEXT | {"DataType": "Text"})], ["InvalidParameterValue"], None),
        ([entry(body="\x00"), entry(1)], ["InvalidMessageContents"], OTHER),
        ([entry(body="\uffff")], ["InvalidMessageContents"], OTHER),
        ([entry(body="\ufffe")], ["InvalidMessageContents"], OTHER),
        ([entry(body="\t\n\r \ufffd\U0010fffe")], [], None),
        ([with_attributes(a=TEXT | {"StringValue": "\x1f"})], ["InvalidMessageContents"], OTHER),
        ([entry(MessageGroupId="tenant")], [], None),
        ([entry(MessageGroupId="g" * 129)], ["InvalidParameterValue"], None),
        ([entry(MessageGroupId="a b")], ["InvalidParameterValue"], None),
        ([entry(MessageDeduplicationId="d")], ["InvalidParameterValue"], None),
    ],
)
def test_a_batch_for_a_standard_queue(
    server: Server,
    entries: list[dict[str, Any]],
    codes: list[str],
    elsewhere: list[str] | None,
) -> None:
    on_elasticmq = codes if elsewhere is None else elsewhere
    assert said(server, entries) == (codes if server.strict else on_elasticmq)


@pytest.mark.parametrize(
    ("message", "codes"),
    [
        ({"MessageGroupId": "g", "MessageDeduplicationId": "d"}, []),
        ({"MessageDeduplicationId": "d"}, ["MissingParameter"]),
        ({"MessageGroupId": "g"}, ["InvalidParameterValue"]),
        (
            {"MessageGroupId": "g", "MessageDeduplicationId": "d", "DelaySeconds": 1},
            ["InvalidParameterValue"],
        ),
    ],
)
def test_a_message_for_a_fifo_queue(
    server: Server, message: dict[str, Any], codes: list[str]
) -> None:
    assert said(server, [entry(**message)], ".fifo") == codes


def test_content_may_stand_for_a_deduplication_id(server: Server) -> None:
    message = entry(MessageGroupId="g")
    assert said(server, [message], ".fifo", ContentBasedDeduplication="true") == []


def test_a_queue_of_its_own_limit_counts_attributes_in(server: Server) -> None:
    if server.strict is None:
        pytest.skip("ElasticMQ keeps no MaximumMessageSize")
    more = len("aStringv")
    limit = {"MaximumMessageSize": "1024"}
    fits, over = (
        entry(n, "x" * (1024 - more + n), MessageAttributes={"a": TEXT}) for n in range(2)
    )
    assert said(server, [fits], **limit) == []
    assert said(server, [fits, over], **limit) == ["InvalidParameterValue"]


def test_a_fifo_group_waits_for_its_message_in_flight(server: Server) -> None:
    destination = server.create(".fifo")
    url = server.client.get_queue_url(QueueName=destination.queue)["QueueUrl"]
    for number, group in enumerate(["a", "a", "b"]):
        server.client.send_message(
            QueueUrl=url,
            MessageBody=str(number),
            MessageGroupId=group,
            MessageDeduplicationId=str(number),
        )
    received = [server.client.receive_message(QueueUrl=url).get("Messages", []) for _ in range(3)]
    assert [[each["Body"] for each in batch] for batch in received] == [["0"], ["2"], []]
    server.client.delete_message_batch(
        QueueUrl=url,
        Entries=[{"Id": "x", "ReceiptHandle": received[0][0]["ReceiptHandle"]}],
    )
    [message] = server.client.receive_message(QueueUrl=url)["Messages"]
    assert message["Body"] == "1"
