"""AWS SQS as the router needs it: batches by count and bytes, only failed entries are reported.

boto3 clients block, so calls run in threads, at most `sends_max` at once. Retries are the router's:
botocore's own are off, and its deadlines are seconds, not its default minute.
"""

import asyncio
import functools
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointProviderError,
    InvalidRegionError,
    ParamValidationError,
    UnknownRegionError,
)

from contracts.deliveries import Delivery
from contracts.subscriptions import SqsDestination
from processors.deliver.outcomes import Outcome, State
from service.connections import SqsConnection

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

# What trying again does not heal: the queue, our rights on it or its key have to be changed. The
# names of the service model, and those that the older query protocol has for the same.
PERMANENT = frozenset(
    (
        *("QueueDoesNotExist", "AccessDenied", "AccessDeniedException", "InvalidAddress"),
        *("InvalidSecurity", "UnsupportedOperation", "KmsAccessDenied", "KmsDisabled"),
        *("KmsNotFound", "KmsInvalidState", "KmsInvalidKeyUsage", "KmsOptInRequired"),
        *("KMS.AccessDeniedException", "KMS.DisabledException", "KMS.NotFoundException"),
        *("KMS.InvalidStateException", "KMS.InvalidKeyUsageException", "KMS.OptInRequired"),
    )
)
# What is wrong with the batch, so that each message alone may be taken.
UNSENDABLE = frozenset(
    (
        *("BatchRequestTooLong", "TooManyEntriesInBatchRequest", "EmptyBatchRequest"),
        *("BatchEntryIdsNotDistinct", "InvalidBatchEntryId", "InvalidMessageContents"),
        *("InvalidParameterValue", "InvalidAttributeName", "InvalidAttributeValue"),
        *("MissingParameter", "ValidationError", "ValidationException"),
    )
)
NOWHERE = (InvalidRegionError, UnknownRegionError, EndpointProviderError)
"""The client finds no endpoint for the queue's region."""
QUERY_PREFIX = "AWS.SimpleQueueService."
QUERY_NAMES = {"NonExistentQueue": "QueueDoesNotExist"}


class Unsendable(Exception):
    """SQS, or the client before it, refuses a batch for what it holds."""


class SqsQueues:
    """`Queues` on SQS."""

    def __init__(self, connection: SqsConnection, sends_max: int) -> None:
        self._connection = connection
        self._sends_max = sends_max
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(sends_max, thread_name_prefix="sqs")
        self._clients: dict[str, SQSClient] = {}
        self._urls: dict[str, str] = {}

    async def send(
        self, destination: SqsDestination, deliveries: Sequence[Delivery]
    ) -> list[Outcome]:
        """See `Queues`. Raises `Unsendable`."""
        call = functools.partial(self._send, destination, deliveries)
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    def close(self) -> None:
        """Wait for the calls under way; each has its deadline."""
        self._threads.shutdown()

    def _send(self, destination: SqsDestination, deliveries: Sequence[Delivery]) -> list[Outcome]:
        entries: Any = [_entry(n, each, destination) for n, each in enumerate(deliveries)]
        try:
            client = self._client(destination.region)
            url = self._url(client, destination)
            answer = client.send_message_batch(QueueUrl=url, Entries=entries)
        except ClientError as error:
            code = code_of(error)
            if code in UNSENDABLE:
                raise Unsendable(f"{code}: {error}") from error
            if code in PERMANENT:
                self._urls.pop(destination.arn, None)  # it may have been made anew
                return _all(deliveries, "refused", f"{code}: {error}")
            return _all(deliveries, "failed", f"{code}: {error}")
        except ParamValidationError as error:
            raise Unsendable(str(error)) from error
        except NOWHERE as error:
            return _all(deliveries, "refused", str(error))
        except BotoCoreError as error:  # nobody answered: whether it was sent is unknown
            return _all(deliveries, "failed", str(error))
        outcomes = _all(deliveries, "sent", "")
        for entry in answer.get("Failed", []):
            number = int(entry["Id"])
            state: State = "refused" if entry["SenderFault"] else "failed"
            reason = f"{entry['Code']}: {entry.get('Message', '')}"
            outcomes[number] = Outcome(deliveries[number], state, reason)
        return outcomes

    def _client(self, region: str) -> "SQSClient":
        with self._lock:
            if region not in self._clients:
                self._clients[region] = boto3.client(
                    "sqs",
                    region_name=region,
                    endpoint_url=self._connection.endpoint_url,
                    config=Config(
                        connect_timeout=self._connection.connect_timeout_s,
                        read_timeout=self._connection.read_timeout_s,
                        retries={"total_max_attempts": 1, "mode": "standard"},
                        max_pool_connections=self._sends_max,
                    ),
                )
            return self._clients[region]

    def _url(self, client: "SQSClient", destination: SqsDestination) -> str:
        url = self._urls.get(destination.arn)
        if url is None:
            found = client.get_queue_url(
                QueueName=destination.queue, QueueOwnerAWSAccountId=destination.account
            )
            url = self._urls[destination.arn] = found["QueueUrl"]
        return url


def code_of(error: ClientError) -> str:
    """The error's name in the service model, whole."""
    code = str(error.response.get("Error", {}).get("Code", "")).removeprefix(QUERY_PREFIX)
    return QUERY_NAMES.get(code, code)


def _entry(number: int, delivery: Delivery, destination: SqsDestination) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "Id": str(number),
        "MessageBody": delivery.body,
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": text}
            for name, text in delivery.attributes.items()
        },
    }
    if destination.queue.endswith(".fifo"):
        entry["MessageGroupId"] = delivery.group
        entry["MessageDeduplicationId"] = delivery.attributes["event_id"]
    return entry


def _all(deliveries: Sequence[Delivery], state: State, reason: str) -> list[Outcome]:
    return [Outcome(each, state, reason) for each in deliveries]
