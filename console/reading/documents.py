"""A payload or fault as it came: base64 to JSON, text, or bytes that are neither."""

import base64
import binascii
import json
from typing import Any, Literal, NamedTuple

Kind = Literal["json", "text", "bytes", "none"]


class Spelled(str):
    """A number of a JSON text as it was written: no double rounds it."""

    __slots__ = ()


class Document(NamedTuple):
    """One document. `value` is the JSON's, `text` its text, `data` its bytes."""

    kind: Kind
    data: bytes = b""
    text: str = ""
    value: Any = None


NOTHING = Document("none")


def decoded(encoded: str | None) -> Document:
    """What the base64 holds; `none` when there is nothing."""
    if encoded is None:
        return NOTHING
    try:
        data = base64.b64decode(encoded)
    except (binascii.Error, ValueError):
        return Document("text", encoded.encode(), encoded)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return Document("bytes", data)
    if text.lstrip()[:1] in ("{", "["):
        try:
            value = json.loads(text, parse_int=Spelled, parse_float=Spelled, parse_constant=Spelled)
            return Document("json", data, text, value)
        except (ValueError, RecursionError):
            pass
    return Document("text", data, text)


def hex_dump(data: bytes) -> str:
    """Bytes as `xxd` shows them, sixteen a line."""
    lines = []
    for start in range(0, len(data), 16):
        part = data[start : start + 16]
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(f"{start:08x}  {part[:8].hex(' '):23}  {part[8:].hex(' '):23}  {shown}")
    return "\n".join(lines)
