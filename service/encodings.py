"""Request bodies that come compressed (RFC 9110 section 8.4): gzip and zstd, stopped at a limit.

A body that would become larger than the limit costs no more memory than the limit and a few MiB,
however small it came; one that is cut short is refused, because its tail may be whole events.
"""

import zlib

import zstandard

from contracts.problems import Problem
from service.http import too_large

ACCEPTED = "gzip, zstd, identity"
WINDOW_BYTES_MAX = 8 * 1024 * 1024  # what RFC 8878 asks every decoder to take
SLICE_BYTES = 256  # of zstd input: a block of 128 KiB may take 4 bytes
GZIP_WBITS = 31


def decoded(body: bytes, encoding: bytes, limit_bytes: int) -> bytes:
    """`body` without its Content-Encoding.

    Raises `Problem` 415 for an encoding that is not taken, 400 for a body that is broken or cut
    short, 413 when it passes `limit_bytes`.
    """
    try:
        if encoding in (b"", b"identity"):
            return body
        if encoding in (b"gzip", b"x-gzip"):
            return _gunzip(body, limit_bytes)
        if encoding == b"zstd":
            return _unzstd(body, limit_bytes)
    except (zlib.error, zstandard.ZstdError) as error:
        raise Problem(400, f"The body is not {encoding.decode()}: {error}.") from None
    raise Problem(
        415,
        f"Content-Encoding must be one of {ACCEPTED}, not {encoding[:80].decode('latin-1')!r}.",
        headers={"Accept-Encoding": ACCEPTED},
    )


def _gunzip(body: bytes, limit_bytes: int) -> bytes:
    parts, size = [], 0
    while body:
        member = zlib.decompressobj(GZIP_WBITS)
        parts.append(member.decompress(body, limit_bytes - size + 1))
        size += len(parts[-1])
        if size > limit_bytes:
            raise too_large(size, limit_bytes)
        if not member.eof:
            raise _cut_short("gzip")
        body = member.unused_data
    return b"".join(parts)


def _unzstd(body: bytes, limit_bytes: int) -> bytes:
    parts, size, frame = [], 0, None
    decompressor = zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES_MAX)
    for start in range(0, len(body), SLICE_BYTES):
        piece = body[start : start + SLICE_BYTES]
        while piece:
            frame = decompressor.decompressobj() if frame is None or frame.eof else frame
            parts.append(frame.decompress(piece))
            size += len(parts[-1])
            if size > limit_bytes:
                raise too_large(size, limit_bytes)
            piece = frame.unused_data if frame.eof else b""
    if frame is not None and not frame.eof:
        raise _cut_short("zstd")
    return b"".join(parts)


def _cut_short(name: str) -> Problem:
    return Problem(400, f"The {name} body ends before it is complete.")
