"""Who looks at a page: what the pages need to know of a session, wherever it comes from."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from starlette.requests import Request


class Session(Protocol):
    """A person who signed in, and the tenant that they look at."""

    @property
    def user(self) -> str:
        """Their name."""

    @property
    def tenant(self) -> str:
        """The tenant that the pages show."""

    @property
    def tenants(self) -> Sequence[str]:
        """Those that they may change to."""

    @property
    def csrf(self) -> str:
        """What each form of the session carries."""

    async def access_token(self) -> str:
        """A token of the API that is valid for the next minute. Raises `NotSignedIn`."""


class NotSignedIn(Exception):
    """Nobody is signed in; `where` is the page to do so, None when there is none."""

    def __init__(self, where: str | None = None) -> None:
        super().__init__("not signed in")
        self.where = where


SignedIn = Callable[[Request], Awaitable[Session]]
"""The session of a request. Raises `NotSignedIn`."""


async def nobody(request: Request) -> Session:
    """The session where no way to sign in is configured: none."""
    raise NotSignedIn
