"""docs/reference/http-api.md, from the OpenAPI document."""

from typing import Any

from contracts.documents.openapi import openapi
from docs.make.markdown import GENERATED, code, table

TEXT = """# HTTP API

{generated}The OpenAPI document, [contracts/openapi.json](../../contracts/openapi.json), is the contract; this page shows it. `openapi-python-client`
and `openapi-typescript` make clients of it, which tests compile.

Every request carries `Authorization: Bearer` with a token (OAuth 2.0, RFC 9068, scope `authentication`) and `X-TWC-Tenant`, which
must be the token's tenant; a body its `Content-Type`. Every error is a problem document: [errors](errors.md).
`GET /healthz` and `GET /readyz` need no token. HEAD is answered wherever GET is.

"""
METHODS = ("get", "post", "put", "delete")


def page() -> str:
    """The page."""
    document = openapi()
    text = TEXT.format(generated=GENERATED)
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                shared = item.get("parameters", [])
                text += _operation(document, method, path, item[method], shared)
    text += "## Bodies\n\n"
    for name, schema in document["components"]["schemas"].items():
        text += _schema(name, schema)
    return text.rstrip() + "\n"


def _operation(document: Any, method: str, path: str, told: Any, shared: list[Any]) -> str:
    text = f"## {told['summary']}\n\n`{method.upper()} {path}`\n\n"
    given = [_resolved(document, each) for each in (*shared, *told["parameters"])]
    rows = [
        (code(each["name"]), each["in"], _kind(each["schema"]), each.get("description", ""))
        for each in given
    ]
    text += table(("parameter", "in", "type", "meaning"), rows) + "\n"
    if body := told.get("requestBody"):
        kinds = [_kind(content["schema"]) for content in body["content"].values()]
        text += f"Body: {', '.join(kinds)}. {body.get('description', '')}".strip() + "\n\n"
    answers = [_answer(document, *each) for each in sorted(told["responses"].items())]
    return text + table(("status", "answer", "headers"), answers) + "\n"


def _answer(document: Any, status: str, told: Any) -> tuple[str, ...]:
    answer = _resolved(document, told)
    kinds = {_kind(each["schema"]) for each in answer.get("content", {}).values()}
    what = " or ".join(sorted(kinds)) or answer["description"]
    return status, what, ", ".join(map(code, answer.get("headers", ())))


def _schema(name: str, schema: Any) -> str:
    text = f"### {name}\n\n"
    if told := schema.get("description"):
        text += f"{told}\n\n"
    if "enum" in schema:
        return text + ", ".join(map(code, schema["enum"])) + "\n\n"
    required = schema.get("required", ())
    rows = [
        (code(member), _kind(of), "yes" if member in required else "", of.get("description", ""))
        for member, of in schema.get("properties", {}).items()
    ]
    return text + table(("member", "type", "required", "meaning"), rows) + "\n"


def _kind(schema: Any) -> str:
    """A schema in a few words; its limits too."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"])
    if "const" in schema:
        return code(schema["const"])
    if "enum" in schema:
        return ", ".join(map(code, schema["enum"]))
    if schema.get("type") == "array":
        return f"array of {_kind(schema.get('items', {}))}" + _limits(schema)
    return str(schema.get("format") or schema.get("type") or "any") + _limits(schema)


def _limits(schema: Any) -> str:
    low = schema.get("minLength", schema.get("minItems", schema.get("minimum")))
    high = schema.get("maxLength", schema.get("maxItems", schema.get("maximum")))
    if low is None and high is None:
        return ""
    unit = " items" if "items" in schema else " characters" if schema["type"] == "string" else ""
    span = (
        f"up to {high:,}" if low is None else f"{low:,} to {high:,}" if high else f"{low:,} or more"
    )
    return f", {span}{unit}"


def _resolved(document: Any, part: Any) -> Any:
    if "$ref" not in part:
        return part
    found = document
    for step in part["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return found
