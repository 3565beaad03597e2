"""The OpenAPI 3.1 document of the HTTP API, built from the models."""

from importlib.metadata import version
from typing import Any

from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema

from contracts import paths
from contracts.changes import Change
from contracts.counts import CountsFound, FieldValues
from contracts.criteria import EventPage, query_parameters
from contracts.documents.json_schema import Published
from contracts.documents.openapi_faults import fault_paths
from contracts.documents.openapi_jobs import job_paths
from contracts.documents.openapi_parts import REFERENCE, id_parameter, json_of, operation
from contracts.documents.openapi_status import status_paths
from contracts.documents.openapi_subscriptions import subscription_paths
from contracts.events import Event, EventDraft
from contracts.fault_states import FaultState, FaultStateDraft
from contracts.faults import FaultDetail, FaultPage
from contracts.filtering import Explanation, FilterSearch, FilterTest, FilterTestAnswer
from contracts.ids import IDEMPOTENCY_KEY_BYTES_MAX
from contracts.ledger import DeliveryPage, DestinationHealth, EventDeliveries
from contracts.problems import CONTENT_TYPE, TITLES, key_used
from contracts.proving import CheckAnswer, CheckRequest, Confirmation, DeliveryIdentity
from contracts.resending import JobPage, JobPreview, JobShown, Redrive, Replay
from contracts.status import Status
from contracts.subscriptions import Subscription, SubscriptionDraft, SubscriptionPatch
from contracts.tenants import TENANT_PATTERN

VERSION = version("events-api")  # pyproject.toml's
SCOPE = "authentication"


class FieldProblem(BaseModel):
    """One offending field of a request."""

    pointer: str
    detail: str
    limit: int | None = None
    size: int | None = None
    score: int | None = None


class ProblemDocument(BaseModel):
    """An RFC 9457 problem document."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] | None = None
    id: str | None = None
    code: str | None = Field(None, description="Which of the reasons that share the type.")


class BatchItem(BaseModel):
    """What became of one event of a batch: its id, or the problem."""

    status: int
    id: str | None = None
    problem: ProblemDocument | None = None


class BatchAnswer(BaseModel):
    """What became of a batch: one item per event, in order."""

    accepted: int
    rejected: int
    items: list[BatchItem]


class SubscriptionList(BaseModel):
    """A page of the tenant's subscriptions, in the order of their ids."""

    items: list[Subscription]
    next: str | None = Field(description="`cursor` of the next page; null when there is none.")


class SubscriptionChanges(BaseModel):
    """Who changed a subscription and when, newest first."""

    items: list[Change]


def openapi() -> dict[str, Any]:
    """The document, members in a stable order."""
    models = (
        *(EventDraft, Event, EventPage, BatchAnswer, ProblemDocument),
        *(SubscriptionDraft, Subscription, SubscriptionList, SubscriptionPatch),
        *(Confirmation, CheckRequest, CheckAnswer, DeliveryIdentity),
        *(SubscriptionChanges, FilterSearch, FilterTest, FilterTestAnswer, Explanation),
        *(CountsFound, FieldValues, FaultPage, FaultDetail, FaultState, FaultStateDraft),
        *(EventDeliveries, DeliveryPage, DestinationHealth),
        *(Redrive, Replay, JobPreview, JobShown, JobPage, Status),
    )
    _, schemas = models_json_schema(
        [(model, "validation") for model in models],
        ref_template=REFERENCE,
        schema_generator=Published,
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Events API",
            "version": VERSION,
            "description": "Post events, find and search them, subscribe queues to them.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "http://127.0.0.1:8800", "description": "the local stack"}],
        "security": [{"oauth2": [SCOPE]}],
        "paths": _event_paths()
        | fault_paths()
        | subscription_paths()
        | job_paths()
        | status_paths(),
        "components": {
            "schemas": schemas["$defs"],
            "parameters": _parameters(),
            "responses": {str(status): _problem(status) for status in TITLES},
            "securitySchemes": {"oauth2": _oauth2()},
        },
    }


def _event_paths() -> dict[str, Any]:
    post = operation(
        "postEvent",
        "Create an event",
        201,
        "Event",
        also=(413, 415, 422, 429),
        body="EventDraft",
        headers=("Location",),
    )
    post["parameters"].append({"$ref": "#/components/parameters/IdempotencyKey"})
    search = operation("searchEvents", "Search events", 200, "EventPage", headers=("Link",))
    search["parameters"] += query_parameters()
    get = operation("getEvent", "Find an event by its id", 200, "Event", also=(404,))
    erase = operation("eraseEvent", "Erase an event", 204, also=(404,))
    return {
        paths.EVENTS: {"get": search, "post": post},
        paths.BATCH: {"post": _batch()},
        paths.SEARCH: {
            "post": operation(
                "searchEventsByFilter", "Search events by a filter", 200, "EventPage",
                also=(413, 415), body="FilterSearch",
            )
        },
        paths.EVENT: {
            "parameters": [id_parameter("eventId")],
            "get": get,
            "delete": erase,
        },
        paths.EXPLANATION: {
            "parameters": [id_parameter("eventId")],
            "get": operation(
                "explainEvent", "Why subscriptions accept an event, or do not", 200, "Explanation",
                also=(404,),
            ),
        },
        paths.EVENT_DELIVERIES: {
            "parameters": [id_parameter("eventId")],
            "get": operation(
                "getEventDeliveries", "What became of an event's deliveries", 200, "EventDeliveries",
                also=(404,),
            ),
        },
    }  # fmt: skip


def _batch() -> dict[str, Any]:
    post = operation("postEvents", "Create many events", 201, "BatchAnswer", also=(413, 415, 429))
    some = {"description": "Some were accepted", "content": json_of("BatchAnswer")}
    problem = {CONTENT_TYPE: {"schema": {"$ref": REFERENCE.format(model="ProblemDocument")}}}
    none = {
        "description": "None was accepted, or invalid input",
        "headers": {"Allow": {"schema": {"type": "string"}}},
        "content": json_of("BatchAnswer") | problem,
    }
    post["responses"] |= {"207": some, "405": none}
    post["parameters"] += [
        {"$ref": "#/components/parameters/IdempotencyKey"},
        {
            "name": "Content-Encoding",
            "in": "header",
            "schema": {"enum": ["gzip", "zstd", "identity"]},
        },
    ]
    event = {"$ref": REFERENCE.format(model="EventDraft")}
    # NDJSON is told in words: no schema of OpenAPI 3.1 says it, and generators warn or break on it
    post["requestBody"] = {
        "required": True,
        "description": "A JSON array of events. The same events as application/x-ndjson, one object"
        " a line, are taken as well; both may be compressed as Content-Encoding says.",
        "content": {"application/json": {"schema": {"type": "array", "items": event}}},
    }
    return post


def _parameters() -> dict[str, Any]:
    return {
        "Tenant": {
            "name": "X-TWC-Tenant",
            "in": "header",
            "required": True,
            "description": "The tenant; the token must be for it.",
            "schema": {"type": "string", "pattern": TENANT_PATTERN},
        },
        "IdempotencyKey": {
            "name": "Idempotency-Key",
            "in": "header",
            "description": "Names the request: a repeat gives the same id and counts once."
            " For another entity it names another event; of two bodies of one entity the first counts.",
            "schema": {"type": "string", "minLength": 1, "maxLength": IDEMPOTENCY_KEY_BYTES_MAX},
        },
        "IfMatch": {
            "name": "If-Match",
            "in": "header",
            "description": "An ETag: the change is made of that alone, else it is answered 412.",
            "schema": {"type": "string"},
        },
    }


def _problem(status: int) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": {"$ref": REFERENCE.format(model="ProblemDocument")}}
    if status == 422:  # the one that tells an id
        content["example"] = key_used("0193a2b4-7c1e-8d3f-8a5b-2f6c9d0e1a2b").document()
    answer: dict[str, Any] = {"description": TITLES[status][1], "content": {CONTENT_TYPE: content}}
    told = {
        401: ("WWW-Authenticate",),
        405: ("Allow",),
        429: ("Retry-After", "RateLimit", "RateLimit-Policy"),
        503: ("Retry-After",),
    }.get(status)
    if told:
        answer["headers"] = {name: {"schema": {"type": "string"}} for name in told}
    return answer


def _oauth2() -> dict[str, Any]:
    flow = {
        "tokenUrl": "http://127.0.0.1:8803/token",
        "scopes": {SCOPE: "Everything of one tenant"},
    }
    return {"type": "oauth2", "flows": {"clientCredentials": flow}}
