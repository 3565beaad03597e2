"""Lists of the API that come in pages."""

from collections.abc import Iterator, Mapping
from typing import Any

from cli.endpoints import Endpoints
from cli.subscription_requests import ask

PAGE = 200


def pages_of(
    where: Endpoints, tenant: str, path: str, member: str, criteria: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Each item of the pages' `member`, from the first page on."""
    parameters: dict[str, Any] | None = {**criteria, "limit": PAGE}
    while parameters:
        page = ask(where, tenant, "GET", path, params=parameters).json()
        yield from page[member]
        parameters = parameters | {"cursor": page["next"]} if page["next"] else None
