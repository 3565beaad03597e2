"""docs/how-to/consume-kafka.md says what the contract says."""

import json
import re
from pathlib import Path

from contracts.documents.compatibility import breaks_for_consumers
from contracts.documents.write import HERE, documents
from contracts.encoding.codec import decode, fill_defaults
from contracts.encoding.wire import ERASED, encode, encode_erasure
from tests.builders import an_event, represented
from tests.records import consumed

DOCUMENT = Path(__file__).parents[2] / "docs" / "how-to" / "consume-kafka.md"
TEXT = DOCUMENT.read_text()
ID = "01a20d33-994f-74a1-8936-e15ecec113da"


def test_the_headers_are_those_of_a_record_and_of_the_asyncapi_document() -> None:
    told = re.findall(r"^\| `([a-z_-]+)` \|", TEXT, re.M)
    messages = json.loads(documents()["asyncapi.json"])["components"]["messages"]
    named = {
        name for each in ("event", "erasure") for name in messages[each]["headers"]["properties"]
    }
    assert sorted(told) == sorted(named)
    value = represented(an_event(), ID)
    event = decode(value)
    fill_defaults(event)
    record = consumed(encode("acme", event, 0, value))
    assert sorted(name for name, _ in record.headers) == messages["event"]["headers"]["required"]


def test_the_headers_of_a_tombstone_are_named() -> None:
    messages = json.loads(documents()["asyncapi.json"])["components"]["messages"]
    section = TEXT.partition("\n## Erased events\n")[2].partition("\n## ")[0]
    names = messages["erasure"]["headers"]["properties"]
    assert set(re.findall(r"`(ce_[a-z]+)`", section)) == set(names)
    assert f"`{ERASED.decode()}`" in section
    event = decode(represented(an_event(), ID))
    tombstone = consumed(encode_erasure("acme", event, ID, 0))
    assert sorted(name for name, _ in tombstone.headers) == sorted(names)


def test_the_break_that_it_shows_is_what_the_comparison_says() -> None:
    released = json.loads((HERE / "released/event.schema.json").read_text())
    new = json.loads((HERE / "released/event.schema.json").read_text())
    new["$defs"]["EventPayload"]["properties"]["operation"]["enum"].append("MERGE")
    [found] = breaks_for_consumers(released, new)
    assert f"    {found}\n" in TEXT
