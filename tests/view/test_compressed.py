"""A log of compressed batches: stored, proven, replayed and followed like any other."""

import json

from contracts.encoding.recordbatch import BATCH_HEAD, LENGTH_STARTS
from contracts.topics import EVENTS
from tests.builders import an_event
from tests.stack import events
from tests.view.conftest import View

COUNT = 300
ZSTD = 4
CODEC_MASK = 7


def codecs(view: View) -> set[int]:
    """The number of the codec of every batch in the log of events."""
    found: set[int] = set()
    for segment in (view.stack.home / "kafka" / "data").glob(f"{EVENTS}-[0-9]*/*.log"):
        data, at = segment.read_bytes(), 0
        while at < len(data):
            _, length, *_ = BATCH_HEAD.unpack_from(data, at)
            attributes = int.from_bytes(data[at + BATCH_HEAD.size :][:2])
            found.add(attributes & CODEC_MASK)
            at += LENGTH_STARTS + length
    return found


def test_a_compressed_log_is_stored_proven_replayed_and_followed(view: View, tenant: str) -> None:
    before = view.audit()["counts"]["stored"]
    sent = [json.dumps(an_event(entity_id="one", entity_name=f"n{n}")) for n in range(COUNT)]
    ids = view.post(tenant, sent)  # of one entity, so in few batches of one partition
    assert ZSTD in codecs(view)
    assert view.audit()["counts"]["stored"] == before + COUNT
    view.rebuild()
    assert view.audit()["counts"]["stored"] == before + COUNT
    rows = view.stack.sql(f"SELECT id, entity_name FROM events WHERE tenant = '{tenant}'")
    assert sorted(map(tuple, rows)) == sorted((i, f"n{n}") for n, i in enumerate(ids))
    held = str(view.audit()["offsets"])
    tail = events("tail", "--from-beginning", "--json", "--limit", held, home=view.stack.home)
    ours = [line for line in tail.stdout.splitlines() if line.startswith('{"entity_id":"one"')]
    assert [each["id"] for each in map(json.loads, ours) if each["id"] in ids] == ids
