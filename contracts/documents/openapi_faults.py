"""The paths of counts and of groups of failures in the OpenAPI document."""

from typing import Any

from pydantic import BaseModel

from contracts import paths
from contracts.counts import CountSearch, FieldSearch
from contracts.criteria import FINGERPRINT_PATTERN, query_parameters
from contracts.documents.openapi_parts import operation
from contracts.faults import FaultCriteria, FaultSearch

FINGERPRINT = {
    "name": "fingerprint",
    "in": "path",
    "required": True,
    "description": "The group's, as in the list of groups and in the column `fault_fingerprint`.",
    "schema": {"type": "string", "pattern": FINGERPRINT_PATTERN},
}


def fault_paths() -> dict[str, Any]:
    """Count, values of a field, groups, one group."""
    listed = _get("listFaults", "Failures by kind", "FaultPage", FaultSearch)
    listed["responses"]["200"]["headers"] = {"Link": {"schema": {"type": "string"}}}
    one = _get("getFault", "What sets a kind of failure apart", "FaultDetail", FaultCriteria)
    one["responses"]["404"] = {"$ref": "#/components/responses/404"}
    return {
        paths.COUNTS: {
            "get": _get("countEvents", "Count events by time", "CountsFound", CountSearch)
        },
        paths.FIELDS: {"get": _get("countValues", "Values of a field", "FieldValues", FieldSearch)},
        paths.FAULTS: {"get": listed},
        paths.FAULT: {"parameters": [FINGERPRINT], "get": one},
        paths.FAULT_STATE: {
            "parameters": [FINGERPRINT],
            "put": operation(
                "putFaultState", "Say what becomes of a kind of failure", 200, "FaultState",
                also=(404, 413, 415), body="FaultStateDraft",
            ),
        },
    }  # fmt: skip


def _get(name: str, summary: str, answer: str, asked: type[BaseModel]) -> dict[str, Any]:
    described = operation(name, summary, 200, answer)
    described["parameters"] += query_parameters(asked)
    return described
