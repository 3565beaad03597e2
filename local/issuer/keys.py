"""The issuer's signing keys on disk, RSA, readable by the owner only.

They outlive a restart, so tokens do too. The newest key signs; the one before it stays published,
so that tokens it signed verify after a rotation.
"""

import time
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from local.private import write_private

KEYS_PUBLISHED = 2
KEY_BITS = 2048


class Keys:
    """Signing keys as PEM files in `folder`; a file's name without `.pem` is the key's id."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        paths = sorted(folder.glob("*.pem"))[-KEYS_PUBLISHED:]
        self._keys = {path.stem: _load(path) for path in paths}  # newest last
        if not self._keys:
            self.rotate()

    def rotate(self) -> str:
        """Make a new signing key and forget all but the one before it; the new key's id."""
        key = generate_private_key(public_exponent=65537, key_size=KEY_BITS)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path = self._folder / f"{time.time_ns()}.pem"
        write_private(path, pem)
        self._keys[path.stem] = key
        for old in list(self._keys)[:-KEYS_PUBLISHED]:
            del self._keys[old]
            (self._folder / f"{old}.pem").unlink(missing_ok=True)
        return path.stem

    def sign(self, claims: dict[str, Any], typ: str = "at+jwt") -> str:
        """A signed token; of access unless `typ` says other (RFC 9068)."""
        kid, key = list(self._keys.items())[-1]
        return jwt.encode(claims, key, algorithm="RS256", headers={"kid": kid, "typ": typ})

    def read(self, token: str, typ: str) -> dict[str, Any] | None:
        """The claims of a token of ours, be it expired; None when it is none."""
        try:
            header = jwt.get_unverified_header(token)
            if header.get("typ") != typ:
                return None
            key = self._keys[header["kid"]].public_key()
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                options={"verify_exp": False, "verify_aud": False},
            )
        except (jwt.PyJWTError, KeyError, TypeError):
            return None
        return claims

    def published(self) -> dict[str, Any]:
        """The JWKS document (RFC 7517)."""
        return {"keys": [_public(kid, key) for kid, key in self._keys.items()]}


def _public(kid: str, key: RSAPrivateKey) -> dict[str, Any]:
    numbers = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {"kty": "RSA", "n": numbers["n"], "e": numbers["e"], "kid": kid} | {
        "use": "sig",
        "alg": "RS256",
    }


def _load(path: Path) -> RSAPrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except ValueError as error:
        raise ValueError(f"{path} is no private key: remove it ({error})") from error
    if not isinstance(key, RSAPrivateKey):
        raise TypeError(f"{path} holds no RSA key: remove it")
    return key
