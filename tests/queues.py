"""SQS over HTTP, as far as the router uses it, that fails as it is told."""

import json
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

ACCOUNT, REGION = "000000000000", "eu-west-1"


def arn(queue: str) -> str:
    """The queue's ARN."""
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"


@dataclass
class FakeSqs:
    """`messages` by queue, in the order of their coming.

    A queue in `away` answers 503, one in `single` refuses batches of more than one message, and a
    message that holds a text of `refused` makes its whole batch invalid.
    """

    away: set[str] = field(default_factory=set)
    single: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    messages: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)

    @property
    def app(self) -> Starlette:
        """To be served."""
        return Starlette(routes=[Route("/{path:path}", self._answer, methods=["POST"])])

    async def _answer(self, request: Request) -> JSONResponse:
        body = await request.json()
        if request.headers["x-amz-target"] == "AmazonSQS.GetQueueUrl":
            return JSONResponse({"QueueUrl": f"{request.base_url}{ACCOUNT}/{body['QueueName']}"})
        if request.headers["x-amz-target"] == "AmazonSQS.GetQueueAttributes":
            return JSONResponse({"Attributes": {"MaximumMessageSize": "262144"}})
        queue, entries = body["QueueUrl"].rpartition("/")[2], body["Entries"]
        self.calls[queue] = self.calls.get(queue, 0) + 1
        if queue in self.away:
            return _error(503, "ServiceUnavailable")
        if queue in self.single and len(entries) > 1:
            return _error(400, "BatchRequestTooLong")
        if any(text in json.dumps(entries) for text in self.refused):
            return _error(400, "InvalidMessageContents")
        self.messages.setdefault(queue, []).extend(entries)
        sent = [{"Id": each["Id"], "MessageId": "m", "MD5OfMessageBody": ""} for each in entries]
        return JSONResponse({"Successful": sent, "Failed": []})

    def bodies(self, queue: str) -> list[Any]:
        """What the queue holds, decoded."""
        return [json.loads(each["MessageBody"]) for each in self.messages.get(queue, [])]

    def ids(self, queue: str) -> list[str]:
        """The ids of the events that the queue holds, repeats left out."""
        return list(dict.fromkeys(each["id"] for each in self.bodies(queue)))


def _error(status: int, code: str) -> JSONResponse:
    return JSONResponse({"__type": f"com.amazonaws.sqs#{code}", "message": code}, status)
