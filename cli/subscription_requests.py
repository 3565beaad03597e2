"""What the commands of subscriptions have in common: arguments, JSON from files, the API's answers."""

import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.answers import TIMEOUT_S, fail, unreachable, why
from cli.endpoints import Endpoints
from contracts import paths

if TYPE_CHECKING:
    from httpx import Response

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The subscription's id.")]
FileArgument = Annotated[str, typer.Argument(metavar="FILE", help="JSON; - for standard input.")]
JsonOption = Annotated[bool, typer.Option("--json", help="For programs: the API's answer.")]

MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}


def quoted(text: str) -> str:
    """As a step of a path."""
    from urllib.parse import quote

    return quote(text, safe="")


def path_of(subscription_id: str) -> str:
    """Where the API has the subscription."""
    return f"{paths.SUBSCRIPTIONS}/{quoted(subscription_id)}"


def ask(where: Endpoints, tenant: str, method: str, path: str, **request: Any) -> "Response":
    """What the API answers. Exit 1 when nobody answers or it refuses."""
    import httpx

    headers = where.headers(tenant) | request.pop("headers", {})
    try:
        answer = httpx.request(
            method, f"{where.api}{path}", headers=headers, timeout=TIMEOUT_S, **request
        )
    except httpx.TransportError as error:
        unreachable(where.api, error)
    if not answer.is_success:
        fail(f"Refused: {why(answer)}")
    return answer


def read_object(file: str) -> bytes:
    """The file's bytes. Exit 1 when they are no JSON object."""
    if file == "-":
        body = sys.stdin.buffer.read()
    else:
        with open(file, "rb") as opened:
            body = opened.read()
    try:
        is_object = isinstance(json.loads(body), dict)
    except ValueError as error:
        fail(f"{file} is not JSON: {error}")
    if not is_object:
        fail(f"{file} holds no JSON object.")
    return body


def with_members(body: bytes, members: Mapping[str, Any]) -> bytes:
    """The JSON object `body` with these members; its own stay as they are written.

    Exit 1 where it has one of them already: which of the two was meant?
    """
    import msgspec

    try:
        document = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError as error:  # another encoding than UTF-8
        fail(f"The file cannot be read: {error}")
    if twice := ", ".join(document.keys() & members.keys()):
        fail(f"Both the file and an option say {twice}: name it once.")
    return msgspec.json.encode({**document, **members})
