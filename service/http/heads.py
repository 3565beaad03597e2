"""What the head of a request must be beyond what the parser asks for: RFC 9112 and RFC 9110, by section.

A head that a proxy in front of us may read in another way than we do is refused, not guessed at.
"""

import functools
import re
import urllib.parse

import httptools

from contracts.problems import Problem

HEAD_BYTES_MAX = 64 * 1024
FIELDS_MAX = 100
HOST_BYTES_MAX = 261  # a name of 255 and a port

Fields = list[tuple[bytes, bytes]]

_ONCE = (b"host", b"transfer-encoding", b"expect")
_HOST = re.compile(rb"[A-Za-z0-9._~%!$&'()*+,;=-]*(:[0-9]*)?|\[[0-9A-Fa-f:.]+\](:[0-9]*)?")


def check_head(version: str, fields: Fields) -> dict[bytes, bytes]:
    """The head's `fields` by name, which is in lower case; `version` as in "1.1".

    Raises `Problem` 400, 417, 431, 501 or 505.
    """
    if len(fields) > FIELDS_MAX:
        raise too_many_fields(len(fields))
    named = dict(fields)
    if len(named) != len(fields):
        _check_once(fields)
    host = named.get(b"host")
    if host is None:
        if version == "1.1":
            raise Problem(400, "The header Host is missing (RFC 9112 section 3.2).")
    elif len(host) > HOST_BYTES_MAX or not _is_host(host):
        raise Problem(400, "The header Host is not a host and a port (RFC 9112 section 3.2).")
    if version not in ("1.1", "1.0"):
        raise Problem(505, f"HTTP/{version} is not spoken here, HTTP/1.1 is.")
    if (coding := named.get(b"transfer-encoding")) is not None:
        _check_coding(version, coding)
    expect = named.get(b"expect")
    if expect is not None and expect.lower() != b"100-continue":
        raise Problem(417, "Expect may be 100-continue alone (RFC 9110 section 10.1.1).")
    return named


def too_many_fields(count: int) -> Problem:
    """431 that names the limit; for trailers too."""
    return Problem(
        431,
        f"The request has {count} header fields or more; the limit is {FIELDS_MAX}.",
        extra={"size": count, "limit": FIELDS_MAX},
    )


def head_too_large(size_bytes: int) -> Problem:
    """431 that names the limit in bytes (RFC 6585 section 5); for trailers too."""
    return Problem(
        431,
        f"The head of the request has {size_bytes:,} bytes or more; the limit is {HEAD_BYTES_MAX:,}.",
        extra={"size": size_bytes, "limit": HEAD_BYTES_MAX},
    )


def _check_once(fields: Fields) -> None:
    names = [name for name, _ in fields]
    for name in _ONCE:
        if (count := names.count(name)) > 1:
            raise Problem(400, f"The header {name.decode()} came {count} times; send it once.")


@functools.lru_cache(1024)
def _is_host(host: bytes) -> bool:
    return _HOST.fullmatch(host) is not None


def _check_coding(version: str, coding: bytes) -> None:
    if version == "1.0":
        raise Problem(400, "HTTP/1.0 has no Transfer-Encoding (RFC 9112 section 6.1).")
    if coding.lower() != b"chunked":
        raise Problem(501, "Transfer-Encoding may be chunked alone (RFC 9112 section 6.1).")


@functools.lru_cache(256)
def target(url: bytes) -> tuple[str, bytes, bytes]:
    """Path decoded, path as it came, query. Raises `Problem` 400."""
    try:
        parsed = httptools.parse_url(url)
        path = parsed.path.decode("ascii")
    except (httptools.HttpParserInvalidURLError, UnicodeDecodeError, AttributeError):
        raise Problem(400, "The request's target is not a path (section 3.2).") from None
    return urllib.parse.unquote(path), parsed.path, parsed.query or b""
