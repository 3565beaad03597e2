"""The issuer's signing keys, kept fresh.

They are fetched again at half their age while requests go on, and waited for once they are old, so
that a key that left the set verifies nothing after `keys_refresh_s`. While the issuer cannot be
asked, the last good keys serve for `keys_grace_s` more; then, and before the first keys, the answer
is 503: closed, and saying so. A flood of unknown key ids causes one fetch per cooldown at the most.
"""

import asyncio
import logging
import time
from collections.abc import Callable

import aiohttp
import jwt

from contracts.problems import unavailable
from service.access.jwks import DOCUMENT_BYTES_MAX, UnreadableKeys, read_keys
from service.connections import Access

log = logging.getLogger(__name__)

COOLDOWN_WITHOUT_KEYS_S = 1.0
"""Nobody can be let in until the issuer answers, so it is asked sooner."""


class SigningKeys:
    """Public keys by key id. One per process; `changed` is called after the set has changed."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._keys: dict[str, jwt.PyJWK] = {}
        self._document = b""
        self._fetching: asyncio.Task[None] | None = None
        self._fetched_s = self._tried_s = float("-inf")
        self.changed: Callable[[], None] = lambda: None

    async def get(self, kid: str, alg: str) -> jwt.PyJWK | None:
        """The key `kid` if it may verify `alg`; fetches when it is unknown or the keys are old.

        Raises `Problem` 503 when there are no keys that may still be used.
        """
        access = self._access
        missing = kid not in self._keys
        if missing or self._age_s() >= access.keys_refresh_s / 2:
            await self._refresh(wait=missing or self._age_s() >= access.keys_refresh_s)
        if self._age_s() > access.keys_refresh_s + access.keys_grace_s:
            raise unavailable("The issuer's signing keys cannot be fetched. Try again.")
        key = self._keys.get(kid)
        return key if key is not None and key.algorithm_name == alg else None

    def fresh_for_s(self) -> float:
        """How long a token that was verified now may be remembered: until the next look at the keys."""
        old_at = self._fetched_s + self._access.keys_refresh_s
        return max(old_at, self._tried_s + self._cooldown_s) - time.monotonic()

    def _age_s(self) -> float:
        return time.monotonic() - self._fetched_s

    @property
    def _cooldown_s(self) -> float:
        access = self._access
        if not self._keys:
            return COOLDOWN_WITHOUT_KEYS_S
        return min(access.keys_cooldown_s, access.keys_refresh_s)

    async def _refresh(self, wait: bool) -> None:
        """Join the fetch that is under way, or begin one unless the last is too recent."""
        if self._fetching is None:
            if time.monotonic() - self._tried_s < self._cooldown_s:
                return
            self._tried_s = time.monotonic()
            self._fetching = asyncio.create_task(self._fetch(), name="signing keys")
        if wait:
            await asyncio.wait({self._fetching}, timeout=self._access.keys_timeout_s + 1)

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(self._access.keys_timeout_s):
                document = await self._download()
            keys = read_keys(document)
        except (aiohttp.ClientError, UnreadableKeys, OSError, ValueError) as error:
            reason = str(error) or type(error).__name__
            log.warning("signing keys not fetched, the last good ones stay: %s", reason)
            return
        finally:
            self._fetching = None
        self._keys, self._fetched_s = keys, time.monotonic()
        if document != self._document:
            self._document = document
            self.changed()

    async def _download(self) -> bytes:
        async with (
            aiohttp.ClientSession(trust_env=True, auto_decompress=False) as session,
            session.get(
                self._access.jwks_url,
                headers={"Accept-Encoding": "identity"},
                allow_redirects=False,
            ) as answer,
        ):
            if answer.status != 200:
                raise UnreadableKeys(f"the issuer answered {answer.status}")
            document = bytearray()
            async for part in answer.content.iter_any():
                document += part
                if len(document) > DOCUMENT_BYTES_MAX:
                    raise UnreadableKeys(f"the answer has more than {DOCUMENT_BYTES_MAX:,} bytes")
            return bytes(document)
