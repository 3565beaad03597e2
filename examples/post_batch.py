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
token = os.environ.get("TOKEN", "")
if len(sys.argv) != 3 or not token:
    sys.exit("Usage: TOKEN=$(events token) python examples/post_batch.py FILE NAME")
headers = {
    "Authorization": f"Bearer {token}",
    "X-TWC-Tenant": os.environ.get("EVENTS_TENANT", "acme"),
    "Content-Type": "application/x-ndjson",
    "Content-Encoding": "gzip",
}
path, name = sys.argv[1:]
if not os.path.isfile(path):
    sys.exit(f"{path} is no file.")
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
            if pause_s:
                why = "no answer" if answer is None else f"not all accepted ({answer.status_code})"
                print(f"Batch {number}: {why}, again in {pause_s} s", file=sys.stderr)  # noqa: T201
            time.sleep(pause_s)
        if answer is None:
            sys.exit(f"No answer from {api} for batch {number}. Is the stack up? events status")
        if answer.status_code in (401, 403, 404, 413, 415):  # true of what follows too
            sys.exit(f"Batch {number} was refused: {answer.status_code} {answer.text}")
        items = answer.json().get("items", [answer.json()])
        for line, item in enumerate(items, 1 + 1000 * (number - 1)):
            if item["status"] != 201:
                failed = True
                print(f"event {line}: {item}", file=sys.stderr)  # noqa: T201
sys.exit(failed)
