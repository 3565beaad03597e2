"""AWS SQS: deliveries to one queue, in order, in batches that it takes; an outcome for each.

    facts of the queue -> claim checks for what is too large -> batches -> one call each -> outcomes

A batch that is refused for its shape, or for what one of its messages holds, is halved until it is known
which. Retries are for who calls: there are none here.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from contracts.deliveries import SQS_BATCH_ENTRIES_MAX, Delivery, claim_check, packed
from contracts.destinations import SqsDestination
from processors.deliver.destinations.sqs.codes import Refusal, meaning_of_entry, read_batch
from processors.deliver.destinations.sqs.facts import Facts, QueueFacts, Unavailable
from processors.deliver.destinations.sqs.wire import Wire
from processors.deliver.outcomes import WAITS, Outcome
from service.aws.roles import Role, Roles, role_of
from service.connections import SqsConnection
from service.destinations import Destinations

THREADS = 4
"""For what is asked seldom: credentials, and facts about queues."""
REFUSED = Refusal("not_now", "DestinationRefused", "the operator lets nobody name this queue")
_encode = msgspec.json.Encoder().encode


class SqsQueues:
    """`Queues` on SQS; at most `sends_max` calls at once. `public_url` is where clients find the API.

    `destinations` say what no subscription may name, however old it is, and whose roles are assumed how.
    """

    def __init__(
        self,
        connection: SqsConnection,
        sends_max: int,
        public_url: str = "",
        destinations: Destinations | None = None,
    ) -> None:
        self._public_url = public_url
        self._destinations = destinations or Destinations()
        roles = Roles(connection, self._destinations.sts_endpoint_url)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="sqs")
        self._facts = QueueFacts(self._threads, roles)
        self._wire = Wire(connection, sends_max, self._threads, roles)

    async def send(
        self, destination: SqsDestination, deliveries: Sequence[Delivery]
    ) -> list[Outcome]:
        """Send any number, in order; one outcome for each. After a batch that fails none is tried.

        Raises nothing of the network.
        """
        if self._destinations.refuses(destination):
            return _all(deliveries, REFUSED)
        try:
            role = self._role(destination, deliveries)
            facts = await self._facts.of(destination, role)
        except Unavailable as error:
            return _all(deliveries, error.refusal)
        outcomes: list[Outcome] = []
        for batch in self._batches(deliveries, facts):
            outcomes += await self._send(destination, facts, batch, outcomes, role)
        return [
            outcome if outcome.delivery is each else outcome._replace(delivery=each)
            for outcome, each in zip(outcomes, deliveries, strict=True)
        ]

    async def close(self) -> None:
        """End the calls under way; each has its deadline."""
        await self._wire.close()
        self._facts.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _role(self, destination: SqsDestination, deliveries: Sequence[Delivery]) -> Role | None:
        """As whom: a role is assumed for the tenant whose messages these are. Raises `Unavailable`."""
        if destination.role_arn is None or not deliveries:
            return None
        try:
            return role_of(self._destinations, deliveries[0].attributes["tenant"], destination)
        except ValueError as error:
            raise Unavailable(Refusal("not_now", "NoSecret", str(error))) from error

    def _batches(
        self, deliveries: Sequence[Delivery], facts: Facts
    ) -> Iterable[Sequence[Delivery]]:
        """As the queue takes them; what is small in any case is not measured."""
        most = sum([each.most_bytes for each in deliveries])
        if len(deliveries) <= SQS_BATCH_ENTRIES_MAX and most <= facts.bytes_max:
            return (deliveries,) if deliveries else ()
        messages = [self._fit(each, facts.bytes_max) for each in deliveries]
        return packed(messages, facts.batch_bytes_max)

    def _fit(self, delivery: Delivery, bytes_max: int) -> Delivery:
        if delivery.size_bytes <= bytes_max:
            return delivery
        return claim_check(delivery, self._public_url)

    async def _send(
        self,
        destination: SqsDestination,
        facts: Facts,
        batch: Sequence[Delivery],
        before: Sequence[Outcome],
        role: Role | None,
    ) -> list[Outcome]:
        """Send `batch`, halved where it has to be, unless what was sent `before` it has failed."""
        if failed := next((each for each in before if each.state in WAITS), None):
            return [failed._replace(delivery=each, tried=False) for each in batch]
        body = request(facts.url, batch, destination.is_fifo)
        answer = await self._wire.send_batch(destination.region, facts, body, role)
        if isinstance(answer, bytes):
            return read_outcomes(batch, answer)
        if answer.code == "QueueDoesNotExist":
            self._facts.forget(destination, role)
        if answer.verdict != "split" or len(batch) == 1:
            return _all(batch, answer)
        half = len(batch) // 2
        first = await self._send(destination, facts, batch[:half], (), role)
        return first + await self._send(destination, facts, batch[half:], first, role)


def request(url: str, batch: Sequence[Delivery], is_fifo: bool) -> bytes:
    """The body of SendMessageBatch to the queue at `url`."""
    entries = [_entry(number, each, is_fifo) for number, each in enumerate(batch)]
    return _encode({"QueueUrl": url, "Entries": entries})


def _entry(number: int, delivery: Delivery, is_fifo: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "Id": str(number),
        "MessageBody": delivery.body,
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": text}
            for name, text in delivery.attributes.items()
        },
    }
    if is_fifo:
        entry["MessageGroupId"] = delivery.group
        entry["MessageDeduplicationId"] = delivery.deduplication_id
    elif group := delivery.fair_group:
        entry["MessageGroupId"] = group
    return entry


def read_outcomes(batch: Sequence[Delivery], content: bytes) -> list[Outcome]:
    """What an answer 200 says of each; of whom it says nothing nobody knows."""
    try:
        answer = read_batch(content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return _all(batch, Refusal("again", "NoAnswer", f"no answer of SQS: {error}"))
    outcomes = _all(batch, Refusal("again", "NoAnswer", "the answer leaves this message out"))
    numbers = {str(number): number for number in range(len(batch))}
    for taken in answer.successful:
        if (number := numbers.get(taken.id)) is not None:
            outcomes[number] = Outcome(batch[number], "sent", message_id=taken.message_id)
    for refused in answer.failed:
        if (number := numbers.get(refused.id)) is not None:
            state = meaning_of_entry(refused.code, refused.sender_fault)
            outcomes[number] = Outcome(batch[number], state, refused.code, refused.message or "")
    return outcomes


def _all(deliveries: Sequence[Delivery], refusal: Refusal) -> list[Outcome]:
    """One outcome for all: what is refused together is, in the end, refused alone."""
    state = "never" if refusal.verdict == "split" else refusal.verdict
    return [Outcome(each, state, refusal.code, refusal.message) for each in deliveries]
