"""The issuer's signing keys (JWKS, RFC 7517), kept fresh.

Fetched in a thread, so that a slow issuer never holds up requests that need no new key. A failed
fetch keeps the keys of the last good one; keys that left the set are refused at the next refresh.
A flood of unknown key ids causes at most one fetch per cooldown.
"""

import asyncio
import logging
import time

import jwt

from contracts.connections import Access

log = logging.getLogger(__name__)

KEYS_MAX = 64


class SigningKeys:
    """Public keys by key id."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._client = jwt.PyJWKClient(
            access.jwks_url, cache_jwk_set=False, timeout=access.keys_timeout_s
        )
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetching: asyncio.Task[None] | None = None
        self._fetched_s = -access.keys_refresh_s
        self._tried_s = -access.keys_cooldown_s

    async def get(self, kid: str, alg: str) -> jwt.PyJWK | None:
        """The key `kid` if it may verify `alg`; fetches when it is unknown or the keys are old."""
        now = time.monotonic()
        old = now - self._fetched_s > self._access.keys_refresh_s
        known = kid in self._keys
        if (old or not known) and (now - self._tried_s >= self._cooldown_s or self._fetching):
            fetch = self._fetch_once()
            if not known:
                await asyncio.wait({fetch}, timeout=self._access.keys_timeout_s + 1)
        key = self._keys.get(kid)
        return key if key is not None and key.algorithm_name == alg else None

    @property
    def _cooldown_s(self) -> float:
        """Without any key the issuer is asked sooner: nobody can be let in until it answers."""
        return self._access.keys_cooldown_s if self._keys else 1.0

    def _fetch_once(self) -> asyncio.Task[None]:
        if self._fetching is None:
            self._tried_s = time.monotonic()
            self._fetching = asyncio.create_task(self._fetch())
        return self._fetching

    async def _fetch(self) -> None:
        try:
            found = await asyncio.to_thread(self._client.get_jwk_set)
            keys = {
                key.key_id: key
                for key in found.keys[:KEYS_MAX]
                if key.key_id and key.key_type != "oct" and key.public_key_use in (None, "sig")
            }
            if keys:
                self._keys, self._fetched_s = keys, time.monotonic()
        except (jwt.PyJWTError, OSError, ValueError) as error:
            log.warning("signing keys not fetched, the last good ones stay: %s", error)
        finally:
            self._fetching = None
