"""Request bodies that come compressed (RFC 9110 section 8.4): gzip and zstd, decoded as they arrive.

What comes out is stopped at a limit, however small it came in, and no step takes more than about a
millisecond; a body that is cut short is refused, because its tail may be whole events.
"""

from collections.abc import Iterator
from typing import Protocol

import zstandard
from isal import isal_zlib

from contracts.problems import Problem
from service.http.asgi import too_large

ACCEPTED = "gzip, zstd, identity"
WINDOW_BYTES_MAX = 8 * 1024 * 1024  # what RFC 8878 asks every decoder to take
PIECE_BYTES = 256 * 1024
SLICE_BYTES = 256  # of zstd input: a block of 128 KiB may take 4 bytes
GZIP_SLICE_BYTES = 4096  # of input that small members are cut from
GZIP_WBITS = 31
GZIP_STARTS = (b"\x1f\x8b",)
ZSTD_STARTS = (b"\x28\xb5\x2f\xfd", *(b"%c\x2a\x4d\x18" % byte for byte in range(0x50, 0x60)))
"""Of a frame, and of one to be skipped (RFC 8878 section 3.1)."""
MEMBERS_MAX = 10_000
"""Gzip members or zstd frames of one body: an empty one takes 20 or 9 bytes and decodes to nothing."""


class Decoder(Protocol):
    """One body's decoding."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What `data` decodes to, in pieces, some of them empty. Raises `Problem` 400 or 413."""

    def end(self) -> None:
        """The body has ended. Raises `Problem` 400 when its encoding has not."""


def decoder(encoding: bytes, limit_bytes: int) -> Decoder:
    """A decoder for a Content-Encoding. Raises `Problem` 415 for one that is not taken."""
    if encoding in (b"", b"identity"):
        return _Identity()
    if encoding in (b"gzip", b"x-gzip"):
        return _Gzip(limit_bytes)
    if encoding == b"zstd":
        return _Zstd(limit_bytes)
    raise Problem(
        415,
        f"Content-Encoding must be one of {ACCEPTED}, not {encoding[:80].decode('latin-1')!r}.",
        headers={"Accept-Encoding": ACCEPTED},
    )


class _Identity:
    def feed(self, data: bytes) -> Iterator[bytes]:
        yield data

    def end(self) -> None:
        pass


class _Counted:
    """Counts what comes out against the limit, and the members (gzip) or frames (zstd) it comes in."""

    name: str
    member: str
    starts: tuple[bytes, ...]

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._size = 0
        self._members = 0

    def _count(self, piece: bytes) -> bytes:
        self._size += len(piece)
        if self._size > self._limit_bytes:
            raise too_large(self._size, self._limit_bytes)
        return piece

    def _begin(self, start: bytes) -> None:
        """Count a member that begins with `start`, which is not empty and may be cut off."""
        if not any(start.startswith(each[: len(start)]) for each in self.starts):
            if not self._members:
                raise Problem(400, f"The body is not {self.name}.")
            raise Problem(400, f"After its {self.member} {self._members:,} something else follows.")
        self._members += 1
        if self._members > MEMBERS_MAX:
            raise Problem(
                413,
                f"The body has {self._members:,} {self.member}s or more; the limit is {MEMBERS_MAX:,}.",
                extra={"size": self._members, "limit": MEMBERS_MAX},
            )

    def _broken(self, error: Exception) -> Problem:
        return Problem(400, f"The body is not {self.name}: {error}.")

    def _cut_short(self) -> Problem:
        return Problem(400, f"The {self.name} body ends before it is complete.")


class _Gzip(_Counted):
    name, member, starts = "gzip", "gzip member", GZIP_STARTS
    _member = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), GZIP_SLICE_BYTES):
            yield from self._feed(data[start : start + GZIP_SLICE_BYTES])

    def _feed(self, data: bytes) -> Iterator[bytes]:
        more = bool(data)
        while more:
            if self._member is None:
                self._begin(data)
                self._member = isal_zlib.decompressobj(GZIP_WBITS)
            try:
                piece = self._member.decompress(data, PIECE_BYTES)
            except isal_zlib.error as error:  # type: ignore[misc]  # its stub has an instance
                raise self._broken(error) from None
            yield self._count(piece)
            data = self._member.unconsumed_tail
            more = bool(data) or len(piece) == PIECE_BYTES  # all is read, not all has come out
            if self._member.eof:
                data, self._member = self._member.unused_data, None
                more = bool(data)

    def end(self) -> None:
        if self._member is not None:
            raise self._cut_short()


class _Zstd(_Counted):
    name, member, starts = "zstd", "zstd frame", ZSTD_STARTS
    _frame = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        decompressor = zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES_MAX)
        for start in range(0, len(data), SLICE_BYTES):
            rest = data[start : start + SLICE_BYTES]
            while rest:
                if self._frame is None:
                    self._begin(rest)
                    self._frame = decompressor.decompressobj()
                try:
                    piece = self._frame.decompress(rest)
                except zstandard.ZstdError as error:
                    raise self._broken(error) from None
                yield self._count(piece)
                rest = b""
                if self._frame.eof:
                    rest, self._frame = self._frame.unused_data, None

    def end(self) -> None:
        if self._frame is not None:
            raise self._cut_short()
