"""An SQS that answers at once, whatever it is sent: the limit of a client on this machine.

`python -m bench.instant_sqs PORT CERTIFICATE [--record]` listens on PORT, and with TLS on the one above. With
`--record` it keeps when it had which event, of the clock of `time.perf_counter`, and tells whoever asks
with the target `Received`. How many messages it has taken it tells with the target `Taken`.
"""

import asyncio
import json
import re
import ssl
import sys
import time
from typing import cast

import uvloop

QUEUE_URL = "http://127.0.0.1/000000000000/q"
ID = "5f1f7f0e-3df8-4f5c-9a55-6f4b0f0c2f9f"


def _answer(content: object) -> bytes:
    body = json.dumps(content).encode()
    head = "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nx-amzn-RequestId: {}\r\n"
    return f"{head.format(ID)}Content-Length: {len(body)}\r\n\r\n".encode() + body


ANSWERS = {
    b"AmazonSQS.GetQueueUrl": _answer({"QueueUrl": QUEUE_URL}),
    b"AmazonSQS.GetQueueAttributes": _answer({"Attributes": {"MaximumMessageSize": "1048576"}}),
}
TAKEN = [
    _answer(
        {
            "Successful": [
                {"Id": str(n), "MessageId": ID, "MD5OfMessageBody": "0" * 32} for n in range(count)
            ]
        }
    )
    for count in range(11)
]
"""Of SendMessageBatch, by how many messages it has."""
EVENT_ID = re.compile(rb'"event_id":\{"DataType":"String","StringValue":"([^"]+)"')
RECORDED: list[tuple[float, bytes]] | None = [] if "--record" in sys.argv else None


COUNT = [0]


def received() -> bytes:
    """When each event came, by id, in seconds; what was told is forgotten."""
    assert RECORDED is not None
    told = {id_.decode(): at_s for at_s, body in RECORDED for id_ in EVENT_ID.findall(body)}
    RECORDED.clear()
    return _answer(told)


class Instant(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport, self._data = cast(asyncio.Transport, transport), b""

    def data_received(self, data: bytes) -> None:
        """Answer each request that is whole."""
        self._data += data
        while b"\r\n\r\n" in self._data:
            head, _, body = self._data.partition(b"\r\n\r\n")
            lines = (line.partition(b":") for line in head.split(b"\r\n")[1:])
            headers = {name.lower(): value.strip() for name, _, value in lines}
            length = int(headers[b"content-length"])
            if len(body) < length:
                return
            self._data = body[length:]
            self._transport.write(self._answer(headers[b"x-amz-target"], body[:length]))

    def _answer(self, target: bytes, body: bytes) -> bytes:
        if target == b"AmazonSQS.SendMessageBatch":
            if RECORDED is not None:
                RECORDED.append((time.perf_counter(), body))
            COUNT[0] += (count := body.count(b'"MessageBody":'))
            return TAKEN[count]
        if target == b"Taken":
            return _answer(COUNT[0])
        return received() if target == b"Received" else ANSWERS[target]


async def serve(port: int, path: str) -> None:
    """Until terminated."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(path)
    loop = asyncio.get_running_loop()
    plain = await loop.create_server(Instant, "127.0.0.1", port)
    await loop.create_server(Instant, "127.0.0.1", port + 1, ssl=tls)
    print("ready", flush=True)
    await plain.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), sys.argv[2]))
