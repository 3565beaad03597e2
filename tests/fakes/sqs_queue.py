"""One queue of the strict fake: its messages, what FIFO queues remember, and what it does wrong."""

import hashlib
import itertools
import json
import random
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from tests.fakes import sqs_rules
from tests.fakes.sqs_rules import Refused

DEDUPLICATED_S = 300
"""[model] MessageDeduplicationId: "the 5-minute deduplication interval"; a deletion does not end it."""
VISIBILITY_S = 30


@dataclass
class Faults:
    """What a queue does wrong; shares are drawn by `seed`.

    `refuse` is the code that every call is answered with. Of entries the share `failing` fails by the
    server's fault, `refusing` by the sender's. Of calls the share `lost` is done and not answered; each
    is answered after `slow_s`. `singles`: a batch of more than one is too long. A message that holds a text
    of `unfit` makes its whole batch invalid.
    """

    refuse: str = ""
    failing: float = 0.0
    refusing: float = 0.0
    lost: float = 0.0
    slow_s: float = 0.0
    singles: bool = False
    unfit: set[str] = field(default_factory=set)
    seed: int = 1

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)


@dataclass
class Message:
    """A message that was taken; `visible_s` is when it may be received (again)."""

    entry: dict[str, Any]
    id: str
    sequence: int
    visible_s: float = 0.0
    receipt: str = ""


@dataclass
class Queue:
    """Takes, gives out and deletes; times are the fake's, in seconds."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    messages: list[Message] = field(default_factory=list)
    taken: list[dict[str, Any]] = field(default_factory=list)
    """All entries that were ever taken, in order."""
    taken_s: list[float] = field(default_factory=list)
    """When each of them came, in seconds since 1970."""
    batches: list[int] = field(default_factory=list)
    """How many entries each call of SendMessageBatch held, whatever became of it."""

    def __post_init__(self) -> None:
        self._seen: dict[tuple[str, str], tuple[float, Message]] = {}
        self._sequence = itertools.count(1)

    @property
    def is_fifo(self) -> bool:
        """[model] CreateQueue: the attribute FifoQueue; the name then ends in .fifo."""
        return self.attributes.get("FifoQueue") == "true"

    @property
    def bytes_max(self) -> int:
        """[model] MaximumMessageSize: 1,024 to 1,048,576, the latter by default."""
        return int(self.attributes.get("MaximumMessageSize", sqs_rules.BYTES_MAX))

    @property
    def event_ids(self) -> list[str]:
        """The ids of the events that it has ever taken, in order, repeats left out."""
        bodies = (json.loads(entry["MessageBody"]) for entry in self.taken)
        return list(dict.fromkeys(body["id"] for body in bodies))

    def send(self, entry: dict[str, Any], now_s: float) -> Message:
        """Take one entry. Raises `Refused`."""
        sqs_rules.check_content(entry, self.bytes_max)
        key = self._deduplication_key(entry)
        if self.is_fifo and key in self._seen and now_s < self._seen[key][0]:
            return self._seen[key][1]  # accepted, and not delivered
        message = Message(entry, str(uuid.uuid4()), next(self._sequence))
        self._seen[key] = now_s + DEDUPLICATED_S, message
        self.messages.append(message)
        self.taken_s.append(time.time())
        self.taken.append(entry)
        return message

    def receive(self, count: int, now_s: float) -> list[Message]:
        """Up to `count` messages, hidden for a while; of a FIFO group none beside one in flight."""
        found: list[Message] = []
        busy = {_group(each) for each in self.messages if each.visible_s > now_s}
        for message in self.messages:
            held = self.is_fifo and _group(message) in busy
            if message.visible_s <= now_s and not held and len(found) < count:
                message.visible_s, message.receipt = now_s + VISIBILITY_S, str(uuid.uuid4())
                found.append(message)
        return found

    def delete(self, receipt: str) -> None:
        """What was received under `receipt` is gone. Raises `Refused`."""
        if not any(each.receipt == receipt for each in self.messages):
            raise Refused("ReceiptHandleIsInvalid")
        self.messages = [each for each in self.messages if each.receipt != receipt]

    def _deduplication_key(self, entry: dict[str, Any]) -> tuple[str, str]:
        """[model] Of the queue, or of the group where DeduplicationScope is messageGroup."""
        content = hashlib.sha256(entry["MessageBody"].encode()).hexdigest()
        per_group = self.attributes.get("DeduplicationScope") == "messageGroup"
        group = entry.get("MessageGroupId", "") if per_group else ""
        return group, entry.get("MessageDeduplicationId", content)


def _group(message: Message) -> str:
    return str(message.entry.get("MessageGroupId", ""))
