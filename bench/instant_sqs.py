"""An SQS that answers at once, whatever it is sent: the limit of a client on this machine.

`python -m bench.instant_sqs PORT CERTIFICATE` listens on PORT, and with TLS on the one above.
"""

import asyncio
import datetime
import ipaddress
import json
import ssl
import sys
from pathlib import Path
from typing import cast

import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

QUEUE_URL = "http://127.0.0.1/000000000000/q"
ID = "5f1f7f0e-3df8-4f5c-9a55-6f4b0f0c2f9f"


def _answer(content: object) -> bytes:
    body = json.dumps(content).encode()
    head = "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nx-amzn-RequestId: {}\r\n"
    return f"{head.format(ID)}Content-Length: {len(body)}\r\n\r\n".encode() + body


ANSWERS = {
    b"AmazonSQS.GetQueueUrl": _answer({"QueueUrl": QUEUE_URL}),
    b"AmazonSQS.GetQueueAttributes": _answer({"Attributes": {"MaximumMessageSize": "1048576"}}),
    b"AmazonSQS.SendMessageBatch": _answer(
        {
            "Successful": [
                {"Id": str(n), "MessageId": ID, "MD5OfMessageBody": "0" * 32} for n in range(10)
            ]
        }
    ),
}


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
            self._transport.write(ANSWERS[headers[b"x-amz-target"]])


def certificate(folder: Path) -> Path:
    """Certificate and key for loopback in one file; the certificate is its own authority."""
    key, now = generate_private_key(SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bench")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(days=1))
    builder = builder.not_valid_after(now + datetime.timedelta(days=1))
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
    form = serialization.PrivateFormat.PKCS8
    plain = serialization.NoEncryption()
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    path = folder / "bench.pem"
    path.write_bytes(pem + key.private_bytes(serialization.Encoding.PEM, form, plain))
    return path


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
