"""Parts of a page: asked for at once, sent as they come in the order of the page, each within its time.

The page itself is sent before them, so that a slow part keeps no other from being read. Its template marks
where they stand; what a part asks for and does not get is shown in its place. Works without script.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Coroutine, Mapping
from typing import Any, TypeVar

from console.api import Refused, Unanswered
from console.session import NotSignedIn

log = logging.getLogger(__name__)

SOON_S = 0.2
"""So long a page waits for what gives it title and status; then it begins without."""
MARK = re.compile("<!-- part ([a-z]+) -->")
"""Texts from outside are escaped, so none of them can be one."""

T = TypeVar("T")
Asked = asyncio.Task[T | Refused | Unanswered]
"""A question that runs: its answer, or why there is none."""


class Parts:
    """The questions of one page; whoever shows it ends them with it."""

    def __init__(self, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._asked: list[asyncio.Task[Any]] = []

    def ask(self, question: Coroutine[Any, Any, T]) -> Asked[T]:
        """Begin with a question; the task never raises."""
        task = asyncio.create_task(_answer(question, self._deadline_s))
        self._asked.append(task)
        return task

    async def soon(self, asked: Asked[T]) -> T | None:
        """The answer, None when it takes long. Raises `Refused` or `Unanswered`, and then ends all."""
        await asyncio.wait([asked], timeout=SOON_S)
        if not asked.done():
            return None
        if is_missing(asked.result()):
            self.end()
        return present(asked.result())

    def end(self) -> None:
        """Nobody waits for the answers any more."""
        for task in self._asked:
            task.cancel()


async def in_order(text: str, parts: Mapping[str, AsyncIterator[str]]) -> AsyncIterator[str]:
    """A page's text, each mark of it replaced by what its part gives, when it gives it."""
    at = 0
    for found in MARK.finditer(text):
        yield text[at : found.start()]
        async for piece in parts[found[1]]:
            yield piece
        at = found.end()
    yield text[at:]


def present(answer: T | Refused | Unanswered) -> T:
    """The answer; raises why there is none."""
    if isinstance(answer, Refused | Unanswered):
        raise answer
    return answer


def is_missing(answer: object) -> bool:
    """Whether this is why there is no answer."""
    return isinstance(answer, Refused | Unanswered)


async def _answer(question: Coroutine[Any, Any, T], deadline_s: float) -> T | Refused | Unanswered:
    try:
        async with asyncio.timeout(deadline_s):
            return await question
    except (Refused, Unanswered) as missing:
        return missing
    except TimeoutError:
        return Unanswered(f"There was no answer within {deadline_s:g} s.")
    except NotSignedIn:
        return Refused(401, {"title": "Your session has ended", "detail": "Load the page again."})
    except Exception:
        log.exception("a part of a page failed")
        return Unanswered("This part could not be made. The console's log says why.")
