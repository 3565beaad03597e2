"""Post a file of events (NDJSON) in batches: compressed, repeated safely, each refused line named.

    TOKEN=$(events token) python examples/post_batch.py FILE NAME

NAME names this posting: the same FILE posted again under the same NAME counts once.
"""

import gzip
import itertools
import os
import sys
import time

import httpx

api = os.environ.get("EVENTS_API", "http://127.0.0.1:8800")
headers = {
    "Authorization": f"Bearer {os.environ['TOKEN']}",
    "X-TWC-Tenant": os.environ.get("EVENTS_TENANT", "acme"),
    "Content-Type": "application/x-ndjson",
    "Content-Encoding": "gzip",
}
path, name = sys.argv[1:]
failed = False
with open(path, "rb") as file, httpx.Client(base_url=api, headers=headers, timeout=30) as client:
    lines = (line for line in file if line.strip())
    for number in itertools.count(1):
        if not (batch := b"".join(itertools.islice(lines, 1000))):
            break
        key = {"Idempotency-Key": f"{name}-{number}"}  # the same in every try
        for pause_s in (1, 2, 4, 8, 0):
            try:
                answer = client.post(
                    "/api/v1/events:batch", content=gzip.compress(batch), headers=key
                )
                if answer.status_code != 429 and b'"status":503' not in answer.content.replace(
                    b" ", b""
                ):
                    break
            except httpx.TransportError:
                answer = None  # whether it arrived is unknown: that is what the key is for
            time.sleep(pause_s)
        items = answer.json().get("items", [answer.json()]) if answer is not None else [None]
        for line, item in enumerate(items, 1 + 1000 * (number - 1)):
            if item is None or item["status"] != 201:
                failed = True
                print(f"event {line}: {item or 'no answer'}", file=sys.stderr)  # noqa: T201
sys.exit(failed)
