"""The path of the status in the OpenAPI document."""

from typing import Any

from contracts import paths
from contracts.documents.openapi_parts import operation


def status_paths() -> dict[str, Any]:
    """How current what the API shows is."""
    summary = "How far view and delivery are behind what was accepted"
    return {paths.STATUS: {"get": operation("getStatus", summary, 200, "Status")}}
