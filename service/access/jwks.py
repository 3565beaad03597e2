"""An issuer's key set (JWKS, RFC 7517): which of its keys may verify a token's signature."""

from collections import Counter
from typing import Any

import jwt

from contracts.encoding.parse import read_json
from contracts.problems import Problem

DOCUMENT_BYTES_MAX = 64 * 1024
KEYS_MAX = 64


class UnreadableKeys(Exception):
    """A document that is no key set, or holds no key of use; the message says why."""


def read_keys(document: bytes) -> dict[str, jwt.PyJWK]:
    """The public signature keys of a JWKS document by key id. Raises `UnreadableKeys`.

    Of keys with one id none is taken: which one a token means would be a guess. Keys of a kind that
    is not known here are passed over (RFC 7517 section 5).
    """
    try:
        found = read_json(document)
    except Problem as problem:
        raise UnreadableKeys(problem.detail) from None
    listed = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(listed, list) or len(listed) > KEYS_MAX:
        raise UnreadableKeys(f"no list of `keys`, or one of more than {KEYS_MAX}")
    fit = [each for each in listed if _verifies(each)]
    times = Counter(each["kid"] for each in fit)
    keys = {each["kid"]: _key(each) for each in fit if times[each["kid"]] == 1}
    usable = {kid: key for kid, key in keys.items() if key is not None}
    if not usable:
        raise UnreadableKeys("the key set holds no signature key with an id of its own")
    return usable


def _verifies(key: Any) -> bool:
    return (
        isinstance(key, dict)
        and isinstance(key.get("kid"), str)
        and key["kid"] != ""
        and key.get("kty") != "oct"  # a secret is no business of ours
        and key.get("use", "sig") == "sig"
    )


def _key(jwk: dict[str, Any]) -> jwt.PyJWK | None:
    try:
        return jwt.PyJWK(jwk)
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
