"""httpx reads the certificates of all authorities for each client, 20 ms of CPU: here once in a process."""

import os
import ssl
from typing import Any

import certifi


def read_once() -> None:
    """Have all clients that bring no context of their own share one."""
    authorities = os.environ.get("SSL_CERT_FILE") or certifi.where()  # as httpx chooses
    made = ssl.create_default_context
    shared = made(cafile=authorities)

    def context(*purpose: Any, **given: Any) -> ssl.SSLContext:
        as_httpx_asks = not purpose and given == {"cafile": authorities}
        return shared if as_httpx_asks else made(*purpose, **given)

    ssl.create_default_context = context
