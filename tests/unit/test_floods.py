"""What a library repeats is written once, and counted."""

import io
import logging

import pytest

from service.kafka import floods
from service.kafka.floods import Floods


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(Floods("library"))
    for name in ("library.part", "ours"):
        logger = logging.getLogger(name)
        monkeypatch.setattr(logger, "handlers", [handler])
        monkeypatch.setattr(logger, "propagate", False)
    return stream


def test_a_repeated_line_comes_once_and_then_with_the_count_of_the_others(
    monkeypatch: pytest.MonkeyPatch, written: io.StringIO
) -> None:
    log = logging.getLogger("library.part")
    for node in range(100):
        log.error("no connection to %d: 100%%", node)
    log.error("another")
    assert written.getvalue() == "no connection to 0: 100%\nanother\n"
    monkeypatch.setattr(floods, "EVERY_S", 0.0)
    log.error("no connection to %d: 100%%", 7)
    last = written.getvalue().splitlines()[-1]
    assert last == "no connection to 7: 100% (99 more like this before)"


def test_lines_of_our_own_are_all_written(written: io.StringIO) -> None:
    for _ in range(3):
        logging.getLogger("ours").warning("again")
    assert written.getvalue() == "again\n" * 3
