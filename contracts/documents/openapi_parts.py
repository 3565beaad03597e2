"""What operations in the OpenAPI document have in common."""

from typing import Any

ALWAYS = (400, 401, 403, 405, 503)
REFERENCE = "#/components/schemas/{model}"


def operation(
    name: str,
    summary: str,
    status: int,
    answer: str = "",
    *,
    also: tuple[int, ...] = (),
    body: str = "",
    media_type: str = "application/json",
    headers: tuple[str, ...] = (),
) -> dict[str, Any]:
    """An operation of one tenant: its success, and the problems that it may be answered with."""
    success: dict[str, Any] = {"description": "Deleted" if status == 204 else "Success"}
    if headers:
        success["headers"] = {header: {"schema": {"type": "string"}} for header in headers}
    if answer:
        success["content"] = json_of(answer)
    responses = {str(status): success}
    for problem in sorted({*ALWAYS, *also}):
        responses[str(problem)] = {"$ref": f"#/components/responses/{problem}"}
    described: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "parameters": [{"$ref": "#/components/parameters/Tenant"}],
        "responses": responses,
    }
    if body:
        content = {media_type: json_of(body)["application/json"]}
        described["requestBody"] = {"required": True, "content": content}
    return described


def json_of(model: str) -> dict[str, Any]:
    """Content: the model as JSON."""
    return {"application/json": {"schema": {"$ref": REFERENCE.format(model=model)}}}


def id_parameter(name: str) -> dict[str, Any]:
    """The parameter of a path that names an event or a subscription."""
    schema = {"type": "string", "format": "uuid"}
    return {"name": name, "in": "path", "required": True, "schema": schema}
