"""`python -m docs.make.picture`: docs/events.svg, what a terminal shows while commands run on a stack.

The commands run as a person types them, on a stack of their own that is stopped afterwards; ids and
times are of that run.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from bench.servers import free_port_base

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs" / "events.svg"
COLUMNS = 106
SUBSCRIPTION = {
    "name": "faults",
    "filter": {"event_type": ["FAULT"]},
    "destination": {"type": "sqs", "arn": "arn:aws:sqs:eu-west-1:000000000000:faults"},
}
SUBSCRIBED = (
    "python examples/receive.py; curl -sS --fail http://127.0.0.1:$EVENTS_PORT_BASE/api/v1/subscriptions"
    f" -d '{json.dumps(SUBSCRIPTION)}' -H 'X-TWC-Tenant: acme' -H 'Content-Type: application/json'"
    ' -H "Authorization: Bearer $(events token)"'
)
"""Before the picture begins: a queue and a subscription of every fault."""
EVENT = {
    "entity_id": "customer-4711",
    "event_source": "CUSTOMER",
    "event_type": "FAULT",
    "event_payload": {
        "operation": "UPDATE",
        "base64_encoded_fault_json": "eyJzdGF0dXMiOiA1MDIsICJtZXNzYWdlIjogImN1c3RvbWVyIHN5bmMgZmFpbGVkIn0=",
        "key_attributes": {"correlationId": "c-1"},
    },
}
SHOWN = (
    "events post fault.json > posted.json && jq -r .id posted.json",
    'events get "$(jq -r .id posted.json)" | jq -c .event_payload.key_attributes',
    "events find event_type=FAULT q='sync failed' | jq -c '[.event_source, .entity_id]'",
    'events sql "SELECT status, message, count, entities FROM faults FORMAT PrettyCompactMonoBlock"',
    "python examples/receive.py 20 | cut -c 1-100",
    "events tail --from-beginning --limit 1",
    "events audit",
)


def main() -> None:
    """Run and draw."""
    argparse.ArgumentParser(prog="python -m docs.make.picture", description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as nowhere:
        base = free_port_base()
        environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}:{folder}:{os.environ['PATH']}",
            "EVENTS_HOME": f"{folder}/home",
            "EVENTS_PORT_BASE": str(base),
            "AWS_ENDPOINT_URL_SQS": f"http://127.0.0.1:{base + 2}",
            "COLUMNS": str(COLUMNS),
        }
        Path(folder, "fault.json").write_text(json.dumps(EVENT))

        def run(command: str) -> str:
            for name in ("fault.json", "posted.json"):
                command = command.replace(name, f"{folder}/{name}")
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", command],
                cwd=ROOT, env=environment, capture_output=True, text=True, timeout=180, check=False,
            )  # fmt: skip
            if done.returncode:
                sys.exit(f"{command}\n{done.stdout}{done.stderr}")
            return done.stdout + done.stderr

        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True)
        run("events up --detach")
        try:
            run(SUBSCRIBED)
            for typed in SHOWN:
                console.print(Text("$ ", "bold green") + Text(typed, "bold"))
                console.print(Text.from_ansi(run(typed).strip("\n")))
        finally:
            run("events down")
    svg = console.export_svg(title="Events API", unique_id="events")
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)  # no font from elsewhere
    PICTURE.write_text("\n".join(line.rstrip() for line in svg.splitlines() if line.strip()) + "\n")


if __name__ == "__main__":
    main()
