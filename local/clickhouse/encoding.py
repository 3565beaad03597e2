"""Content-Encoding of request and answer: gzip, zstd, lz4, as ClickHouse and its clients use them.

Bodies may hold several frames one after another; each codec here reads them all.
"""

import zlib
from collections.abc import AsyncIterator, Callable
from typing import Protocol

import lz4.frame
import zstandard

from local.clickhouse.errors import BAD_ARGUMENTS, refused


class _Decoder(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes | None: ...

    def decompress(self, data: bytes, /) -> bytes: ...


_DECODERS: dict[str, Callable[[], _Decoder]] = {
    "gzip": lambda: zlib.decompressobj(31),
    "deflate": zlib.decompressobj,
    "zstd": lambda: zstandard.ZstdDecompressor().decompressobj(),
    "lz4": lz4.frame.LZ4FrameDecompressor,
}


async def decoded(body: AsyncIterator[bytes], encoding: str) -> AsyncIterator[bytes]:
    """`body` without its encoding, in the pieces that it came in."""
    if encoding not in _DECODERS and encoding not in ("", "identity"):
        raise refused(BAD_ARGUMENTS, f"Unknown Content-Encoding {encoding}", "BAD_ARGUMENTS")
    new_decoder = _DECODERS.get(encoding)
    decoder = new_decoder() if new_decoder else None
    async for part in body:
        piece = part
        if new_decoder is not None:
            piece, decoder = _frames(part, decoder, new_decoder)
        if piece:
            yield piece


def _frames(
    part: bytes, decoder: _Decoder | None, new_decoder: Callable[[], _Decoder]
) -> tuple[bytes, _Decoder]:
    pieces = []
    decoder = decoder or new_decoder()
    while part:
        if decoder.eof:
            decoder = new_decoder()
        pieces.append(decoder.decompress(part))
        part = (decoder.unused_data or b"") if decoder.eof else b""
    return b"".join(pieces), decoder


class Encoder(Protocol):
    """An answer's encoding, block by block."""

    def compress(self, data: bytes, /) -> bytes:
        """The bytes to send for `data`."""

    def flush(self) -> bytes:
        """The bytes that end the answer."""


class _Lz4:
    def __init__(self) -> None:
        self._frame = lz4.frame.LZ4FrameCompressor()
        self._begun = False

    def compress(self, data: bytes, /) -> bytes:
        begin = b"" if self._begun else self._frame.begin()
        self._begun = True
        return bytes(begin + self._frame.compress(data))

    def flush(self) -> bytes:
        begin = b"" if self._begun else self._frame.begin()
        return bytes(begin + self._frame.flush())


_ENCODERS: dict[str, Callable[[], Encoder]] = {
    "zstd": lambda: zstandard.ZstdCompressor(1).compressobj(),
    "lz4": _Lz4,
    "gzip": lambda: zlib.compressobj(1, zlib.DEFLATED, 31),
}


def encoder_for(accept_encoding: str) -> tuple[str, Encoder] | None:
    """The first encoding of ours that the client accepts."""
    accepted = {part.split(";")[0].strip() for part in accept_encoding.lower().split(",")}
    for name, new_encoder in _ENCODERS.items():
        if name in accepted:
            return name, new_encoder()
    return None
