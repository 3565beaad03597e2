"""The clients that users sign in to, as they were registered: `--client ID=REDIRECT_URI,SIGNED_OUT_URI`."""

import argparse
from typing import NamedTuple
from urllib.parse import urlsplit


class Client(NamedTuple):
    """Where a client's users return to: with a code, and when they have signed out."""

    redirect_uri: str
    signed_out_uri: str


Clients = dict[str, Client]
"""By their ids."""


def client(text: str) -> tuple[str, Client]:
    """A client as an argument says it. Raises `ArgumentTypeError`."""
    client_id, _, addresses = text.partition("=")
    found = addresses.split(",")
    if not client_id or len(found) != 2 or not all(map(_is_address, found)):
        raise argparse.ArgumentTypeError("write ID=REDIRECT_URI,SIGNED_OUT_URI")
    return client_id, Client(*found)


def origin(url: str) -> str:
    """Scheme, host and port of `url`."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _is_address(text: str) -> bool:
    parts = urlsplit(text)
    return parts.scheme in ("http", "https") and bool(parts.netloc) and not parts.fragment
