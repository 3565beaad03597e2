"""What the tests of pages share: the type of the fixture that opens a window."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from tests.console.browser import Looking

Look = Callable[..., AbstractContextManager[Looking]]
