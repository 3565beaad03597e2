"""Cookies of one host, out of reach of scripts and of other sites: RFC 6265bis sections 4.1.2 and 4.1.3.2.

On https each has the prefix __Host-, so that no other host and no plain connection can set it. A console on
plain loopback has its port in the name instead: cookies do not tell ports apart, and not every browser takes
`Secure` there.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

PART_CHARACTERS = 3_800
"""Browsers keep 4,096 bytes of a cookie's name, value and attributes."""
PARTS_MAX = 2
"""Proxies take a header line of 8 KiB by default."""


class TooLarge(Exception):
    """A value that does not fit into its cookies; the message has size and limit."""


class Cookie:
    """A cookie named `name` of the console at `url`, of several parts where its value is long."""

    def __init__(self, url: str, name: str) -> None:
        parts = urlsplit(url)
        is_secure = parts.scheme == "https"
        self.name = f"__Host-events-{name}" if is_secure else f"events-{parts.port or 80}-{name}"
        self._attributes = "; Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if is_secure else "")

    def read(self, cookies: Mapping[str, str]) -> str:
        """The value among a request's `cookies`; empty for none."""
        return "".join(cookies.get(name, "") for name in self._names)

    def write(self, value: str, max_age_s: float) -> list[str]:
        """Values of Set-Cookie; a part that is not needed any more is removed. Raises `TooLarge`."""
        limit = PART_CHARACTERS * PARTS_MAX
        if len(value) > limit:
            raise TooLarge(f"has {len(value):,} characters; the limit is {limit:,}")
        lines = []
        for number, name in enumerate(self._names):
            part = value[number * PART_CHARACTERS : (number + 1) * PART_CHARACTERS]
            lines.append(self._line(name, part, int(max_age_s) if part else 0))
        return lines

    def remove(self) -> list[str]:
        """Values of Set-Cookie that take it away."""
        return [self._line(name, "", 0) for name in self._names]

    @property
    def _names(self) -> list[str]:
        return [self.name, *(f"{self.name}.{number}" for number in range(1, PARTS_MAX))]

    def _line(self, name: str, value: str, max_age_s: int) -> str:
        return f"{name}={value}; Max-Age={max_age_s}{self._attributes}"
