"""Events to post: the lines of a file, or as many that look like a retailer's.

Nothing but the standard library, for the load generator's own environment imports it too.
"""

import base64
import json
import random
from pathlib import Path

COUNT = 1000
ENTITIES = 400
FAULT_SHARE = 0.3
KINDS = {"order": "ORDER", "product": "PRODUCT", "customer": "CUSTOMER", "cart": "WISHLIST"}
"""Event source by entity name."""


def events(path: Path | None) -> list[bytes]:
    """Request bodies: the lines of the NDJSON file `path`, made ones when that is None."""
    if path is not None:
        return [line for line in path.read_bytes().splitlines() if line]
    chance = random.Random(1)  # the same events in every run
    return [json.dumps(_event(chance)).encode() for _ in range(COUNT)]


def _event(chance: random.Random) -> dict[str, object]:
    kind = chance.choice(list(KINDS))
    entity_id = str(1_000_000 + chance.randrange(ENTITIES))
    payload: dict[str, object] = {
        "base64_encoded_payload_json": _base64(_order(chance, entity_id)),
        "key_attributes": {"correlationId": f"{chance.getrandbits(128):032x}"},
        "operation": chance.choice(("CREATE", "UPDATE", "UPDATE", "DELETE")),
    }
    event_type = "FAULT" if chance.random() < FAULT_SHARE else "ENTITY_EVENT"
    if event_type == "FAULT":
        fault = {"status": 502, "title": "Bad Gateway", "detail": f"{kind} {entity_id} not synced"}
        payload["base64_encoded_fault_json"] = _base64(fault)
    return {
        "entity_id": entity_id,
        "entity_name": kind,
        "event_payload": payload,
        "event_source": KINDS[kind],
        "event_type": event_type,
    }


def _order(chance: random.Random, order_id: str) -> dict[str, object]:
    """One to twenty lines: 0.3 to 3 KB, about the sizes of real payloads."""
    lines = [
        {
            "id": chance.getrandbits(40),
            "sku": f"SKU-{chance.randrange(10_000):05}",
            "title": chance.choice(("Linen shirt", "Wool socks", "Rain coat", "Running shoes")),
            "quantity": chance.randrange(1, 5),
            "price": f"{chance.randrange(100, 20_000) / 100:.2f}",
            "taxable": chance.random() < 0.9,
        }
        for _ in range(chance.randrange(1, 21))
    ]
    address = {"city": chance.choice(("Leeds", "Lyon", "Bremen")), "zip": str(chance.random())[2:7]}
    return {"id": order_id, "currency": "EUR", "shipping_address": address, "line_items": lines}


def _base64(document: dict[str, object]) -> str:
    return base64.b64encode(json.dumps(document).encode()).decode()
