"""SQS over HTTP that refuses what AWS refuses: AWS JSON 1.0, signatures checked, faults by switches.

    with StrictSqs().served() as sqs:
        sqs.create("orders").faults.refuse = "RequestThrottled"

The rules, with their sources, are in sqs_rules.py; a queue is sqs_queue.py.
"""

import asyncio
import contextlib
import datetime
import email.utils
import hashlib
import json
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from aiohttp import web
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from tests.fakes import sqs_rules
from tests.fakes.sqs_queue import Faults, Message, Queue
from tests.fakes.sqs_rules import Refused
from tests.queues import ACCOUNT

START_TIMEOUT_S = 60
CAPITAL = re.compile(r"(?=[A-Z])")
SKEW_MAX_S = 300  # "Elements of an AWS API request signature": within five minutes
STATUS = {
    "AccessDenied": 403, "ExpiredToken": 403, "InvalidSignatureException": 403,
    "InternalError": 500, "RequestThrottled": 403, "ServiceUnavailable": 503,
}  # fmt: skip
"""400 for all others: [model], the HTTP bindings of errors."""
OLD_NAMES = {"QueueDoesNotExist": "AWS.SimpleQueueService.NonExistentQueue"}
"""[model] awsQueryCompatible: the header says what the query protocol said."""


class StrictSqs:
    """Queues by name. `now_s` is the queues' clock, which a test moves; `skew_s` that of signatures.

    `keys` are the secrets by access key, `ended` the access keys that have expired; `calls` what was asked,
    `under_way` how many of them have no answer yet. Operations in `denied` and `unanswered` are refused for
    every queue, with 403 and 503. `only` has the queues of access keys that may call no other (`sts.py`),
    `signed_by` the access key of each call.
    """

    def __init__(self) -> None:
        self.queues: dict[str, Queue] = {}
        self.now_s = 0.0
        self.skew_s = 0.0
        self.keys = {"local": "local"}
        self.ended: set[str] = set()
        self.only: dict[str, set[str]] = {}
        self.signed_by: list[str] = []
        self.denied: set[str] = set()
        self.unanswered: set[str] = set()
        self.calls: list[tuple[str, str]] = []
        self.under_way = 0
        self.url = ""
        self._tls: ssl.SSLContext | None = None

    def create(self, name: str, faults: Faults | None = None, **attributes: str) -> Queue:
        """A queue that is empty, instead of any of this name."""
        fifo = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
        queue = self.queues[name] = Queue(name, fifo | attributes, faults or Faults())
        return queue

    @contextlib.contextmanager
    def served(self, certificate: Path | None = None) -> Iterator["StrictSqs"]:
        """Listening on loopback, in a thread of its own, at `url`; over TLS with a `certificate`."""
        if certificate is not None:
            self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._tls.load_cert_chain(certificate)
        self._loop = loop = asyncio.new_event_loop()
        started = threading.Event()
        app = web.Application(client_max_size=4 * sqs_rules.BYTES_MAX)
        app.router.add_post("/{path:.*}", self._answer)
        self._runner = runner = web.AppRunner(app, shutdown_timeout=1)

        async def start() -> None:
            await runner.setup()
            await self._listen(0)
            scheme = "https" if self._tls else "http"
            self.url = f"{scheme}://127.0.0.1:{runner.addresses[0][1]}"
            started.set()

        def run() -> None:
            loop.run_until_complete(start())
            loop.run_forever()
            loop.run_until_complete(runner.cleanup())
            if late := asyncio.all_tasks(loop):  # answers whose clients are gone
                for each in late:
                    each.cancel()
                loop.run_until_complete(asyncio.wait(late))
            loop.close()

        thread = threading.Thread(target=run, name="strict-sqs")
        thread.start()
        try:
            assert started.wait(START_TIMEOUT_S)
            yield self
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(START_TIMEOUT_S)

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Connections are broken, and refused, while the context is open."""

        async def leave() -> None:
            await self._site.stop()
            for each in self._runner.server.connections if self._runner.server else ():
                each.force_close()

        port = int(self.url.rpartition(":")[2])
        asyncio.run_coroutine_threadsafe(leave(), self._loop).result(START_TIMEOUT_S)
        try:
            yield
        finally:
            asyncio.run_coroutine_threadsafe(self._listen(port), self._loop).result(START_TIMEOUT_S)

    async def _listen(self, port: int) -> None:
        self._site = web.TCPSite(self._runner, "127.0.0.1", port, ssl_context=self._tls)
        await self._site.start()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.under_way += 1
        try:
            return await self._answered(request)
        finally:
            self.under_way -= 1

    async def _answered(self, request: web.Request) -> web.StreamResponse:
        operation = request.headers.get("X-Amz-Target", "").removeprefix("AmazonSQS.")
        content = await request.read()
        body = json.loads(content)
        name = body.get("QueueName") or body.get("QueueUrl", "").rpartition("/")[2]
        self.calls.append((operation, name))
        faults = self.queues[name].faults if name in self.queues else Faults()
        try:
            key = self._authenticate(request, content)
            if name not in self.only.get(key, {name}):
                raise Refused("AccessDenied")
            if operation in self.denied:
                raise Refused("AccessDenied")
            if operation in self.unanswered:
                raise Refused("ServiceUnavailable")
            if faults.refuse:
                raise Refused(faults.refuse)
            call: Callable[[dict[str, Any]], Any] = getattr(
                self, CAPITAL.sub("_", operation).lower()
            )
            answer = web.json_response(call(body), content_type="application/x-amz-json-1.0")
        except Refused as refused:
            answer = self._error(refused)
        await asyncio.sleep(faults.slow_s)
        if faults.random.random() < faults.lost and request.transport is not None:
            request.transport.abort()
        return answer

    def _error(self, refused: Refused) -> web.Response:
        now = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=self.skew_s)
        old = OLD_NAMES.get(refused.code, refused.code)
        return web.json_response(
            {"__type": f"com.amazonaws.sqs#{refused.code}", "message": refused.message},
            status=STATUS.get(refused.code, 400),
            content_type="application/x-amz-json-1.0",
            headers={
                "x-amzn-query-error": f"{old};Sender",
                "Date": email.utils.format_datetime(now.replace(tzinfo=datetime.UTC), usegmt=True),
            },
        )

    def _authenticate(self, request: web.Request, content: bytes) -> str:
        """Signature Version 4, of what arrived: the access key. Raises `Refused`."""
        fields = dict(
            part.strip(", ").split("=", 1)
            for part in request.headers.get("Authorization", "").split(" ")[1:]
        )
        if not fields:
            raise Refused("MissingAuthenticationToken")
        key, _, region, service, _ = fields["Credential"].split("/")
        self.signed_by.append(key)
        if key in self.ended:
            raise Refused("ExpiredToken", "The security token included in the request is expired")
        named = fields["SignedHeaders"].split(";")
        headers = {each: request.headers[each] for each in named}
        signed = AWSRequest(
            request.method, f"http://{request.host}{request.path}", headers, content
        )
        timestamp = signed.context["timestamp"] = headers["x-amz-date"]
        auth = SigV4Auth(ReadOnlyCredentials(key, self.keys.get(key, ""), None), service, region)
        text = auth.string_to_sign(signed, auth.canonical_request(signed))
        if auth.signature(text, signed) != fields["Signature"]:
            raise Refused("InvalidSignatureException", "the signature does not match")
        at = datetime.datetime.strptime(timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)
        now_s = datetime.datetime.now(datetime.UTC).timestamp() + self.skew_s
        if abs(at.timestamp() - now_s) > SKEW_MAX_S:
            raise Refused("InvalidSignatureException", f"Signature expired: {timestamp}")
        if key in self.only and request.headers.get("X-Amz-Security-Token") != f"of {key}":
            raise Refused("InvalidClientTokenId")
        return key

    def _queue(self, body: dict[str, Any]) -> Queue:
        name = body.get("QueueName") or body["QueueUrl"].rpartition("/")[2]
        if name not in self.queues:
            raise Refused("QueueDoesNotExist", "The specified queue does not exist.")
        return self.queues[name]

    def _create_queue(self, body: dict[str, Any]) -> dict[str, Any]:
        if body["QueueName"] not in self.queues:
            self.create(body["QueueName"], **body.get("Attributes", {}))
        return self._get_queue_url(body)

    def _delete_queue(self, body: dict[str, Any]) -> dict[str, Any]:
        del self.queues[self._queue(body).name]
        return {}

    def _get_queue_url(self, body: dict[str, Any]) -> dict[str, Any]:
        return {"QueueUrl": f"{self.url}/{ACCOUNT}/{self._queue(body).name}"}

    def _get_queue_attributes(self, body: dict[str, Any]) -> dict[str, Any]:
        queue = self._queue(body)
        known = queue.attributes | {"MaximumMessageSize": str(queue.bytes_max)}
        asked = body.get("AttributeNames", [])
        return {"Attributes": {n: v for n, v in known.items() if n in asked or "All" in asked}}

    def _send_message(self, body: dict[str, Any]) -> dict[str, Any]:
        queue = self._queue(body)
        sqs_rules.check_attributes(body)
        sqs_rules.check_groups(body, queue.attributes)
        return _taken(queue.send(body, self.now_s))

    def _send_message_batch(self, body: dict[str, Any]) -> dict[str, Any]:
        queue, entries = self._queue(body), body["Entries"]
        queue.batches.append(len(entries))
        if queue.faults.singles and len(entries) > 1:
            raise Refused("BatchRequestTooLong")
        if any(text in json.dumps(entries) for text in queue.faults.unfit):
            raise Refused("InvalidMessageContents")
        sqs_rules.check_batch(entries)
        for entry in entries:
            sqs_rules.check_attributes(entry)
            sqs_rules.check_groups(entry, queue.attributes)
        answer: dict[str, Any] = {"Successful": [], "Failed": []}
        for entry in entries:
            try:
                _fail_by_chance(queue.faults)
                answer["Successful"].append(
                    {"Id": entry["Id"]} | _taken(queue.send(entry, self.now_s))
                )
            except Refused as refused:
                answer["Failed"].append(
                    {
                        "Id": entry["Id"],
                        "SenderFault": STATUS.get(refused.code, 400) < 500,
                        "Code": refused.code,
                        "Message": refused.message,
                    }
                )
        return answer

    def _receive_message(self, body: dict[str, Any]) -> dict[str, Any]:
        count = body.get("MaxNumberOfMessages", 1)
        return {"Messages": list(map(_given, self._queue(body).receive(count, self.now_s)))}

    def _delete_message(self, body: dict[str, Any]) -> dict[str, Any]:
        self._queue(body).delete(body["ReceiptHandle"])
        return {}

    def _delete_message_batch(self, body: dict[str, Any]) -> dict[str, Any]:
        for entry in body["Entries"]:
            self._queue(body).delete(entry["ReceiptHandle"])
        return {"Successful": [{"Id": entry["Id"]} for entry in body["Entries"]], "Failed": []}


def _fail_by_chance(faults: Faults) -> None:
    drawn = faults.random.random()
    if drawn < faults.failing:
        raise Refused("InternalError")
    if drawn < faults.failing + faults.refusing:
        raise Refused("InvalidParameterValue", "by chance")


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _taken(message: Message) -> dict[str, Any]:
    return {
        "MessageId": message.id,
        "MD5OfMessageBody": _md5(message.entry["MessageBody"]),
        "SequenceNumber": str(message.sequence),
    }


def _given(message: Message) -> dict[str, Any]:
    names = ("MessageGroupId", "MessageDeduplicationId")
    return {
        "MessageId": message.id,
        "ReceiptHandle": message.receipt,
        "Body": message.entry["MessageBody"],
        "MD5OfBody": _md5(message.entry["MessageBody"]),
        "MessageAttributes": message.entry.get("MessageAttributes") or {},
        "Attributes": {name: message.entry[name] for name in names if name in message.entry},
    }
