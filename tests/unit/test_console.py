"""The console without a server: ranges, texts from outside, static files, charts."""

import base64
import gzip
import json
import re
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.html import charts, text, times
from console.html.assets import Assets
from console.html.json_view import json_html
from console.html.text import quoted
from console.line import export
from console.line.parse import read
from console.reading.changes import changes
from console.reading.documents import Document, decoded
from console.reading.summary import summary
from contracts.filters import parse


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


@pytest.mark.parametrize(
    ("line", "pattern", "q"),
    [
        ("", {}, None),
        ("type:fault", {"event_type": ["FAULT"]}, None),
        ("source:ORDER,PRICE x y", {"event_source": ["ORDER", "PRICE"]}, "x y"),
        ("type:FAULT type:WARNING", {"event_type": ["FAULT", "WARNING"]}, None),
        ("-operation:READ", {"operation": [{"anything-but": ["READ"]}]}, None),
        ("entity:10*", {"entity_id": [{"prefix": "10"}]}, None),
        ("entity:*10", {"entity_id": [{"suffix": "10"}]}, None),
        ("entity:1*0", {"entity_id": [{"wildcard": "1*0"}]}, None),
        ('entity:"1*0, a"', {"entity_id": ["1*0, a"]}, None),
        ("name:*", {"entity_name": [{"exists": True}]}, None),
        ("-fault.a.b:*", {"fault": {"a.b": [{"exists": False}]}}, None),
        ("fault.status:>=500", {"fault": {"status": [{"numeric": [">=", 500]}]}}, None),
        ("payload.a:1..2", {"payload": {"a": [{"numeric": [">=", 1, "<=", 2]}]}}, None),
        ("payload.a:5 payload.b:true", {"payload": {"a": ["5", 5], "b": ["true", True]}}, None),
        ('attr.correlationId:4711 "a: b"', {"key_attributes": {"correlationId": ["4711"]}}, "a: b"),
    ],
)
def test_a_line_is_a_pattern_and_a_text(line: str, pattern: object, q: str | None) -> None:
    found = read(line)
    assert (found.pattern, found.q, found.wrong) == (pattern, q, ())
    parse(found.pattern)  # no pattern that we make is refused


@pytest.mark.parametrize("line", ["typ:FAULT", "type:A -type:B", "attr.:x", "x" * 1001])
def test_what_a_line_cannot_say_is_named(line: str) -> None:
    assert len(read(line).wrong) == 1


@given(st.text(max_size=60))
def test_any_line_is_read_and_any_value_comes_back_from_its_quotes(text: str) -> None:
    read(text)
    assert read(f"entity:{quoted(text)}").pattern == {"entity_id": [text]}


@given(st.text(max_size=60))
def test_any_text_is_a_literal_of_sql_without_an_end_of_its_own(text: str) -> None:
    inside = export.literal(text)[1:-1]
    assert re.fullmatch(r"(?:[^'\\]|\\.)*", inside)
    assert inside.isprintable()


def document(text: str) -> Document:
    return decoded(base64.b64encode(text.encode()).decode())


def test_changes_are_by_path_and_of_other_texts_by_line() -> None:
    found = changes(document('{"a":1,"b":[1,2]}'), document('{"a":1.0,"b":[1],"c":{}}'))
    assert found.found == [
        ("a", "1", "1.0"),
        ("c", None, "{}"),
        ("b[1]", "2", None),
    ]
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


def test_what_failed_is_in_the_line_of_a_list() -> None:
    def told(fault: str) -> str:
        event_payload = {"base64_encoded_fault_json": base64.b64encode(fault.encode()).decode()}
        return summary({"event_payload": event_payload})

    assert told('{"status": 503, "error": "Unavailable", "message": "no \\"upstream\\""}') == (
        '503 no "upstream"'
    )
    assert told("<html>\n  <b>502</b>") == "<html> <b>502</b>"
    assert told('{"id":"12\\"}') == '{"id":"12\\"}'
