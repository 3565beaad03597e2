"""The console without a server: ranges, texts from outside, static files, charts, what changed."""

import base64
import gzip
import json
import tracemalloc
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.html import charts, text, times
from console.html.amounts import taken
from console.html.assets import Assets
from console.html.json_view import json_html
from console.reading.changes import changes
from console.reading.documents import Document, decoded
from console.reading.summary import summary


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


@pytest.mark.parametrize(
    ("rows", "size", "told"),
    [
        (0, 0, ""),
        (1, 950, "1 row, 950 bytes"),
        (12_345, 3_449_000, "12,345 rows, 3.4 MB"),
        (1_234_567, 120_400_000, "1.2 million rows, 120 MB"),
        (3_100_000_000, 2_000_000_000_000, "3.1 billion rows, 2.0 TB"),
    ],
)
def test_what_was_read_is_told_in_few_digits(rows: int, size: int, told: str) -> None:
    assert taken(rows, size) == told


def test_a_long_text_is_cut_and_says_how_long_it_is() -> None:
    assert "1,000,000 characters" in text.foreign("x" * 1_000_000, 100)


def test_static_files_are_named_by_what_is_in_them_and_import_each_other_by_those_names() -> None:
    assets = Assets()
    url = assets.url("console.js")
    served = assets._by_name[url.rpartition("/")[2]]
    assert assets.url("times.js").rpartition("/")[2].encode() in served.content
    assert b'"./times.js"' not in served.content
    assert gzip.decompress(served.compressed) == served.content


def test_bars_are_links_with_what_they_are_for_a_scale_and_an_axis() -> None:
    hour = 3_600_000
    drawn = charts.chart(
        [
            charts.Bar({"FAULT": 200, "WARNING": 111}, hour // 2, hour, "<3", "/search?a=1&b=2"),
            charts.Bar({}, hour, 2 * hour, "none"),
        ],
        times.zone_of("Europe/Berlin"),
        "by hour",
    )
    assert "1970-01-01 01:30 to 1970-01-01 02:00: &lt;3" in drawn
    assert f'data-from="{hour // 2}" data-to="{hour}"' in drawn
    assert 'href="/search?a=1&amp;b=2"' in drawn
    assert drawn.count("<rect") == 4
    assert '<span class="top">400</span><span class="half">200</span>' in drawn
    # the first bar is cut to its second half: its middle is not shown, its end is the picture's middle
    assert f'<text x="50.00%" y="11" data-at="{hour}" data-form="clock">02:00</text>' in drawn
    assert f'<text x="75.00%" y="11" data-at="{hour * 3 // 2}"' in drawn


def test_a_sparkline_says_its_highest_bar() -> None:
    assert "at most 1,234 in a bar" in charts.sparkline([1, 1_234, 0], "Failures")
    assert charts.sparkline([], "Failures")


JSON = st.dictionaries(
    st.text("ab.", max_size=2),
    st.recursive(
        st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["", "1", "true"]),
        lambda below: (
            st.lists(below, max_size=3)
            | st.dictionaries(st.text("ab.", max_size=2), below, max_size=3)
        ),
        max_leaves=6,
    ),
    max_size=3,
)


def document(text: str) -> Document:
    return decoded(base64.b64encode(text.encode()).decode())


def test_changes_are_by_path_and_of_other_texts_by_line() -> None:
    found = changes(document('{"a":1,"b":[1,2]}'), document('{"a":1.0,"b":[1],"c":{}}'))
    assert found.found == [
        ("a", "1", "1.0"),
        ("b[1]", "2", None),
        ("c", None, "{}"),
    ]
    whole = changes(document('{"a":{"b":{}},"n":1}'), document('{"a":[3],"n":"1"}'))
    assert whole.found == [("a.b", "{}", None), ("a[0]", None, "3"), ("n", "1", '"1"')]
    lines = changes(document("one\ntwo"), document("one\nthree"))
    assert [(c.before, c.after) for c in lines.found] == [("two", None), (None, "three")]
    assert changes(document("{"), document("{")).of == 0


def test_documents_that_are_deep_or_wide_are_bounded() -> None:
    deep = document("[" * 50_000 + "]" * 50_000)
    assert json_html(deep.value)[0] or deep.kind == "text"
    wide = document(json.dumps({str(n): "x" * 10_000 for n in range(5_000)}))
    shown, whole = json_html(wide.value)
    assert not whole
    assert len(shown) < 400_000
    assert len(changes(wide, document("{}")).found) == 200


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"k" * 400_000: [1] * 100_000}),
        json.dumps({str(n): n for n in range(60_000)}),
        '{"kkkkkkkkk":' * 900 + "1" + "}" * 900,
    ],
    ids=["long names", "many names", "deep"],
)
def test_comparing_needs_memory_for_what_is_shown_alone(text: str) -> None:
    before, after = document(text), document('{"another":1}')
    tracemalloc.start()
    try:
        found = changes(before, after)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.of > 1
    assert len(found.found) <= 200
    assert all(len(each.path) <= 201 for each in found.found)
    assert most < 4_000_000


@given(JSON, JSON)
def test_documents_differ_where_they_do_and_nowhere_else(one: object, other: object) -> None:
    text, another = (json.dumps(each, sort_keys=True) for each in (one, other))
    assert changes(document(text), document(text)).of == 0
    assert (changes(document(text), document(another)).of == 0) == (text == another)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize(
    "value",
    [{"\x7f" * 350 + str(n): n for n in range(2_000)}, {"a": "\x7f" * 700_000}],
    ids=["names", "text"],
)
def test_hidden_characters_are_named_in_bounded_html(value: object, whole: bool) -> None:
    shown, _ = json_html(value, whole)
    assert "DEL" in shown
    assert "\x7f" not in shown
    assert len(shown) < (6_000_000 if whole else 400_000)


def test_what_failed_is_in_the_line_of_a_list() -> None:
    def told(fault: str) -> str:
        event_payload = {"base64_encoded_fault_json": base64.b64encode(fault.encode()).decode()}
        return summary({"event_payload": event_payload})

    assert told('{"status": 503, "error": "Unavailable", "message": "no \\"upstream\\""}') == (
        '503 no "upstream"'
    )
    assert told("<html>\n  <b>502</b>") == "<html> <b>502</b>"
    assert told("<!doctype html><TITLE>502 Bad &amp; Gateway</TITLE>") == "502 Bad & Gateway"
    assert told('{"status": 422, "errors": {"email": ["is \\"taken\\"", "x"]}}') == (
        '422 email: is "taken"'
    )
    assert told('{"errors": {"base": "is gone"}}') == "base: is gone"
    assert told('{"id":"12\\"}') == '{"id":"12\\"}'
