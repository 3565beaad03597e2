"""What AWS refuses of a message and of a batch, as the strict fake does.

Sources: [model] the service model of SQS in botocore, SendMessage and SendMessageBatch; [quotas]
"Amazon SQS message quotas" of the developer guide; [attributes] "Amazon SQS message attributes" there.
Where they do not say whether an entry or the whole batch is refused it is the batch, which is harder on
the sender.
"""

import re
from typing import Any

BYTES_MAX = 1_048_576  # [model] of one message, and of a batch together
ENTRIES_MAX = 10  # [model]
ATTRIBUTES_MAX = 10  # [quotas]
ENTRY_ID = re.compile(r"[A-Za-z0-9_-]{1,80}\Z")  # [quotas]
GROUP_ID = re.compile(r"""[A-Za-z0-9!"#$%&'()*+,./:;<=>?@\[\\\]^_`{|}~-]{1,128}\Z""")  # [model]
ATTRIBUTE_NAME = re.compile(
    r"(?!(?:AWS|Amazon)\.)(?!\.)(?!.*\.\.)[A-Za-z0-9_.-]{1,256}(?<!\.)\Z", re.I
)
"""[attributes]"""
ATTRIBUTE_TYPE = re.compile(r"(?:String|Number|Binary)(?:\..+)?\Z")  # [attributes]
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # [model]


class Refused(Exception):
    """A call that is refused, with the code that SQS has for it."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


def size_bytes(entry: dict[str, Any]) -> int:
    """[attributes] Name, type and value of each attribute count beside the body, in bytes of UTF-8."""
    size = len(entry["MessageBody"].encode())
    for name, attribute in (entry.get("MessageAttributes") or {}).items():
        size += len(name.encode()) + len(attribute["DataType"].encode())
        size += len(attribute.get("StringValue", "").encode())
    return size


def check_batch(entries: list[dict[str, Any]]) -> None:
    """What is wrong with the batch as a whole [model, errors of SendMessageBatch]. Raises `Refused`."""
    if not entries:
        raise Refused("EmptyBatchRequest")
    if len(entries) > ENTRIES_MAX:
        raise Refused("TooManyEntriesInBatchRequest", f"{len(entries)} entries")
    ids = [entry["Id"] for entry in entries]
    if not all(ENTRY_ID.match(each) for each in ids):
        raise Refused("InvalidBatchEntryId")
    if len(set(ids)) < len(ids):
        raise Refused("BatchEntryIdsNotDistinct")
    if sum(map(size_bytes, entries)) > BYTES_MAX:
        raise Refused("BatchRequestTooLong", f"over {BYTES_MAX} bytes")


def check_attributes(entry: dict[str, Any]) -> None:
    """[attributes] Raises `Refused`."""
    attributes = entry.get("MessageAttributes") or {}
    if len(attributes) > ATTRIBUTES_MAX:
        raise Refused(
            "InvalidParameterValue", f"{len(attributes)} attributes exceed {ATTRIBUTES_MAX}"
        )
    for name, attribute in attributes.items():
        if not ATTRIBUTE_NAME.match(name):
            raise Refused("InvalidParameterValue", f"name of an attribute: {name!r}")
        if not ATTRIBUTE_TYPE.match(attribute.get("DataType", "")):
            raise Refused("InvalidParameterValue", f"type of attribute {name}")
        if not attribute.get("StringValue"):
            raise Refused(
                "InvalidParameterValue", f"attribute {name} must contain a non-empty value"
            )


def check_groups(entry: dict[str, Any], attributes: dict[str, str]) -> None:
    """[model] MessageGroupId, MessageDeduplicationId, DelaySeconds. Raises `Refused`."""
    is_fifo = attributes.get("FifoQueue") == "true"
    group, deduplication = entry.get("MessageGroupId"), entry.get("MessageDeduplicationId")
    for each in (group, deduplication):
        if each is not None and not GROUP_ID.match(each):
            raise Refused("InvalidParameterValue", f"{each!r} is no group or deduplication id")
    if is_fifo and group is None:
        raise Refused("MissingParameter", "MessageGroupId")
    if is_fifo and deduplication is None and attributes.get("ContentBasedDeduplication") != "true":
        raise Refused("InvalidParameterValue", "neither ContentBasedDeduplication nor an id")
    if not is_fifo and deduplication is not None:  # "applies only to FIFO queues"
        raise Refused("InvalidParameterValue", "MessageDeduplicationId on a standard queue")
    if is_fifo and entry.get("DelaySeconds") is not None:
        raise Refused("InvalidParameterValue", "DelaySeconds of one message on a FIFO queue")


def check_content(entry: dict[str, Any], bytes_max: int) -> None:
    """[model] What one entry fails with, alone. Raises `Refused`."""
    if not entry["MessageBody"]:
        raise Refused("InvalidParameterValue", "the minimum size is one character")
    values = (each["StringValue"] for each in (entry.get("MessageAttributes") or {}).values())
    if any(FORBIDDEN.search(text) for text in (entry["MessageBody"], *values)):
        raise Refused("InvalidMessageContents", "invalid characters")
    if size_bytes(entry) > bytes_max:
        raise Refused("InvalidParameterValue", f"must be shorter than {bytes_max} bytes")
