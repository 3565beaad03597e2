"""How far view and delivery are behind, for `events status`; not known where nobody answers in time."""

from pathlib import Path
from typing import Any

from cli.endpoints import endpoints
from cli.options import TENANT
from contracts import paths

TIMEOUT_S = 5.0
UNITS = ((86_400, "days"), (3_600, "hours"), (60, "minutes"))


def ask(home: Path) -> dict[str, Any] | None:
    """The API's status of the stack that runs in `home`; None when it is not known."""
    import httpx

    where = endpoints(home, None)
    try:
        with httpx.Client(timeout=TIMEOUT_S) as client:
            token = client.send(where.token_request(TENANT)).raise_for_status().json()
            headers = {"Authorization": f"Bearer {token['access_token']}", "X-TWC-Tenant": TENANT}
            answer = client.get(where.api + paths.STATUS, headers=headers).raise_for_status()
            return dict(answer.json())
    except (httpx.HTTPError, ValueError, KeyError):
        return None


def line(name: str, behind: dict[str, Any]) -> str:
    """One of the two in a sentence."""
    if not behind["records_behind"]:
        return f"{name}: up to date"
    waits_s, left_s = behind["seconds_behind"], behind["seconds_until_loss"]
    told = f"{name}: up to {behind['records_behind']:,} records behind"
    told += "" if waits_s is None else f", the oldest waits for {duration(waits_s)}"
    if left_s is None:
        return told
    return f"{told}; Kafka keeps it for {duration(left_s)}" if left_s else f"{told}; lost to Kafka"


def duration(seconds: float) -> str:
    """In the largest unit of which there are two."""
    for length, unit in UNITS:
        if seconds >= 2 * length:
            return f"{int(seconds // length)} {unit}"
    return f"{seconds:.1f} s"
