"""Parts of a page: asked for at once, each within its time, sent in the order of the page or as they come.

The page itself is sent before them; its template marks where they stand. In the order of the page one that
is slow is waited for by those below it: what stands alone is sent as it comes. What a part asks for and does
not get is shown in its place, and so is that it failed. Works without script.
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
BROKEN = """<div class="failure" role="alert" data-state="error"><p class="failure-title">This part failed</p>
<p>The console's log says why.</p></div>"""

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

    def within(self, deadline_s: float) -> "Parts":
        """The same for questions that have less time; they end with these."""
        shorter = Parts(min(deadline_s, self._deadline_s))
        shorter._asked = self._asked
        return shorter

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
        async for piece in unbroken(parts[found[1]]):
            yield piece
        at = found.end()
    yield text[at:]


async def as_they_come(*parts: AsyncIterator[str]) -> AsyncIterator[str]:
    """All parts, each whole, the first to be there first, in a box with its place of those given."""
    whole = [asyncio.create_task(_whole(n, pieces)) for n, pieces in enumerate(parts, 1)]
    try:
        for each in asyncio.as_completed(whole):
            yield await each
    finally:
        for task in whole:
            task.cancel()


async def _whole(place: int, pieces: AsyncIterator[str]) -> str:
    text = "".join([piece async for piece in unbroken(pieces)])
    return f'<div class="came" data-place="{place}">{text}</div>'


async def unbroken(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    """The pieces, until one fails; then that it did, and the page goes on."""
    try:
        async for piece in pieces:
            yield piece
    except Exception:
        log.exception("a part of a page broke off")
        yield BROKEN


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
