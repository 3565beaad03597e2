"""How long a client may keep a connection waiting, by a clock that the test moves."""

import pytest

from service.connections import Http
from service.http.patience import LEAVING_S, Patience, Phase, Seen, Verdict

LIMITS = Http(silence_s=30, body_bytes_per_s=1000, keep_alive_s=75)


def ended(
    phase: Phase,
    *,
    requests: int = 1,
    unsent: int = 0,
    bytes_per_s: float = 0,
    paused: bool = False,
) -> tuple[int, Verdict] | None:
    """After how many seconds and how a connection is ended that remains as it is; None: not in 1,000."""
    patience = Patience()
    for second in range(1000):
        seen = Seen(phase, requests, unsent, int(second * bytes_per_s))
        if verdict := patience.look(seen, second, LIMITS, waits_for_us=paused):
            return second, verdict
    return None


@pytest.mark.parametrize("rate", [0, 0.2, 100, 999_999])
def test_a_head_has_its_time_however_fast_it_comes(rate: float) -> None:
    assert ended("head", bytes_per_s=rate) == (31, "refuse")


def test_a_connection_without_a_request_is_not_kept_as_long_as_one_between_two() -> None:
    assert ended("idle", requests=0) == (31, "close")
    assert ended("idle") == (76, "close")


def test_a_body_must_come_at_the_lowest_rate_and_without_a_long_pause() -> None:
    assert ended("body") == (31, "refuse")
    assert ended("body", bytes_per_s=0.2) == (31, "refuse")  # 1 byte per 5 s
    assert ended("body", bytes_per_s=500) == (61, "refuse")
    assert ended("body", bytes_per_s=1000) is None


def test_who_waits_for_us_is_not_late() -> None:
    assert ended("body", paused=True) is None
    assert ended("answer") is None  # the handler has its own deadlines


def test_an_answer_must_be_read() -> None:
    assert ended("answer", unsent=100_000) == (31, "abort")
    assert ended("leaving", unsent=100_000) == (31, "abort")
    assert ended("leaving") == (LEAVING_S + 1, "abort")


def test_what_is_unsent_of_an_answer_buys_a_body_no_time() -> None:
    patience = Patience()
    verdicts = [
        patience.look(Seen("body", 1, 1000 - second, 0), second, LIMITS, waits_for_us=False)
        for second in range(32)
    ]
    assert verdicts[-1] == "refuse"
