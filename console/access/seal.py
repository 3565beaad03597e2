"""Authenticated encryption of what a cookie holds: compressed, then Fernet (AES-128-CBC and HMAC-SHA256).

One secret serves several purposes: each has a key of its own (HKDF, RFC 5869), so that a cookie of one kind
is none of another.
"""

import base64
import zlib
from collections.abc import Iterable

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class Seal:
    """Closes with the first of `secrets`, opens with any, for as long as `lifetime_s`."""

    def __init__(self, secrets: Iterable[str], purpose: str, lifetime_s: float) -> None:
        self._fernet = MultiFernet([Fernet(_key(secret, purpose)) for secret in secrets])
        self._lifetime_s = max(1, int(lifetime_s))

    def close(self, content: bytes) -> str:
        """`content`, for nobody else to read or change: characters that a cookie may have."""
        return self._fernet.encrypt(zlib.compress(content, 9)).decode().rstrip("=")

    def open(self, text: str) -> bytes | None:
        """What was closed; None for what this seal did not close, or too long ago."""
        try:
            padded = text.encode() + b"=" * (-len(text) % 4)
            return zlib.decompress(self._fernet.decrypt(padded, ttl=self._lifetime_s))
        except (InvalidToken, UnicodeEncodeError):
            return None


def _key(secret: str, purpose: str) -> bytes:
    derived = HKDF(SHA256(), 32, salt=None, info=f"events console {purpose}".encode())
    return base64.urlsafe_b64encode(derived.derive(secret.encode()))
