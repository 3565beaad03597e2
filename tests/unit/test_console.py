"""The console without a server: ranges, texts from outside, static files, charts."""

import gzip
from datetime import UTC

import pytest

from console.html import charts, text, times
from console.html.assets import Assets


def test_a_relative_range_ends_now_and_an_absolute_one_is_taken_as_it_is() -> None:
    day = times.read_range("24h", None, None)
    assert day.to_ms - day.from_ms == 86_400_000
    assert day.query == {"range": "24h"}
    fixed = times.read_range(None, "2026-01-31T12:00:00Z", "2026-01-31T13:00:00.5Z")
    assert fixed.query == {"from": "2026-01-31T12:00:00.000Z", "to": "2026-01-31T13:00:00.500Z"}
    assert times.read_range(None, "2026-01-31T12:00", "2026-01-31T12:01").wrong is None
    assert fixed.before.to_ms == fixed.from_ms


@pytest.mark.parametrize(
    ("relative", "from_", "to"),
    [
        ("2 weeks", None, None),
        (None, "yesterday", None),
        (None, "2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
    ],
)
def test_a_range_that_cannot_be_read_is_named_and_replaced(
    relative: str | None, from_: str | None, to: str | None
) -> None:
    found = times.read_range(relative, from_, to)
    assert found.wrong
    assert found.relative == times.DEFAULT


@pytest.mark.parametrize("name", ["", "Mars/Base", "../../etc/passwd", "x" * 500, "\0"])
def test_a_zone_that_nobody_knows_is_utc(name: str) -> None:
    assert times.zone_of(name) is UTC


def test_times_are_shown_in_a_zone() -> None:
    zone = times.zone_of("Asia/Tokyo")
    assert times.shown(0, zone) == "1970-01-01 09:00:00.000"
    assert times.shown(1_500, zone, "clock") == "09:00:01.500"
    assert times.ago(0, 180_000) == "3 min ago"
    assert times.ago(7_200_000, 0) == "in 2 h"


def test_texts_from_outside_are_escaped_and_cannot_turn_the_line_around() -> None:
    shown = str(text.foreign("<b>\u202eabc\x00"))
    assert "<b>" not in shown
    assert "\u202e" not in shown
    assert "\x00" not in shown
    assert "RIGHT-TO-LEFT OVERRIDE" in shown
    assert shown.startswith("<bdi>")


def test_a_long_text_is_cut_and_says_how_long_it_is() -> None:
    assert "1,000,000 characters" in text.foreign("x" * 1_000_000, 100)


def test_static_files_are_named_by_what_is_in_them_and_import_each_other_by_those_names() -> None:
    assets = Assets()
    url = assets.url("console.js")
    served = assets._by_name[url.rpartition("/")[2]]
    assert assets.url("times.js").rpartition("/")[2].encode() in served.content
    assert b'"./times.js"' not in served.content
    assert gzip.decompress(served.compressed) == served.content


def test_bars_are_links_with_what_they_are_for() -> None:
    drawn = charts.bars(
        [
            charts.Bar({"FAULT": 2, "WARNING": 1}, "12:00: <3>", "/search?a=1&b=2"),
            charts.Bar({}, ""),
        ],
        "by minute",
    )
    assert "&lt;3&gt;" in drawn
    assert 'href="/search?a=1&amp;b=2"' in drawn
    assert drawn.count("<rect") == 4
