"""One line for a failure that is repeated a thousand times, and how often it was at its end."""

import logging

import pytest

from service.kafka.outages import Outages

log = logging.getLogger(__name__)


def test_a_repeated_failure_is_logged_when_it_begins_changes_and_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    outages = Outages(log)
    assert not outages
    for _ in range(500):
        outages.failed(["events-0", "events-1"], ConnectionError("refused"), "broker 2")
        outages.failed(["events-1"], TimeoutError())
    outages.over(["events-1", "events-5"])
    assert outages
    outages.over(["events-0"])
    outages.over(["events-0"])
    assert not outages
    began, changed, *ends = [record.getMessage() for record in caplog.records]
    assert began == "events-0, events-1: broker 2: ConnectionError('refused'); trying again"
    assert changed == "events-1: TimeoutError(); trying again"
    assert [end.split()[0] for end in ends] == ["events-1:", "events-0:"]
    assert [int(end.split()[-2]) for end in ends] == [1000, 500]
