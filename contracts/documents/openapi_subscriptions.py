"""The paths of subscriptions in the OpenAPI document."""

from typing import Any

from contracts import paths
from contracts.criteria import query_parameters
from contracts.documents.openapi_parts import id_parameter, operation
from contracts.ledger import DeliverySearch

DRAFT, ONE = "SubscriptionDraft", "Subscription"
IF_MATCH = {"$ref": "#/components/parameters/IfMatch"}
MISSED = {
    "name": "missed",
    "in": "query",
    "description": "Of one that was disabled or paused and goes on with this change: deliver what waited,"
    " and what was received meanwhile, from its position on (catch_up), or cancel that (skip).",
    "schema": {"type": "string", "enum": ["skip", "catch_up"], "default": "skip"},
}


def subscription_paths() -> dict[str, Any]:
    """Create, list, read, change and delete them, who changed them, and what a filter would accept."""
    return {
        paths.SUBSCRIPTIONS: {"post": _create(), "get": _list()},
        paths.SUBSCRIPTION: {
            "parameters": [id_parameter("id")],
            "get": operation(
                "getSubscription", "Read a subscription", 200, ONE, also=(404,), headers=("ETag",)
            ),
            "put": _change("putSubscription", "Replace a subscription", DRAFT),
            "patch": _change(
                "patchSubscription",
                "Change members of a subscription (RFC 7396)",
                "SubscriptionPatch",
                "application/merge-patch+json",
            ),
            "delete": _delete(),
        },
        paths.CHANGES: {
            "parameters": [id_parameter("id")],
            "get": operation(
                "listSubscriptionChanges",
                "Who changed a subscription, and when",
                200,
                "SubscriptionChanges",
                also=(404,),
            ),
        },
        paths.DELIVERIES: {"parameters": [id_parameter("id")], "get": _deliveries()},
        paths.HEALTH: {
            "parameters": [id_parameter("id")],
            "get": operation(
                "getSubscriptionHealth",
                "How a subscription's queue does",
                200,
                "DestinationHealth",
                also=(404,),
            ),
        },
        paths.CONFIRMATION: {
            "parameters": [id_parameter("id")],
            "post": operation(
                "confirmSubscription",
                "Post back the token that came into a subscription's queue",
                200,
                ONE,
                also=(404, 410, 413, 415, 429),
                body="Confirmation",
                headers=("ETag",),
            ),
        },
        paths.CHECK: {
            "parameters": [id_parameter("id")],
            "post": operation(
                "checkSubscription",
                "Look at a subscription's queues",
                200,
                "CheckAnswer",
                also=(404, 413, 415, 429),
                body="CheckRequest",
            ),
        },
        paths.IDENTITY: {
            "get": operation(
                "getDeliveryIdentity",
                "Who sends to queues, for a role to trust",
                200,
                "DeliveryIdentity",
                also=(429,),
            )
        },
        paths.BACK_TEST: {
            "post": operation(
                "testFilter",
                "Count the events that a filter would have accepted",
                200,
                "FilterTestAnswer",
                also=(413, 415),
                body="FilterTest",
            )
        },
    }


def _create() -> dict[str, Any]:
    post = operation(
        "postSubscription",
        "Create a subscription",
        201,
        ONE,
        also=(413, 415),
        body=DRAFT,
        headers=("Location", "ETag"),
    )
    made = {
        **post["responses"]["201"],
        "description": "The same Idempotency-Key has made it already",
    }
    post["responses"]["200"] = made
    post["parameters"].append({"$ref": "#/components/parameters/IdempotencyKey"})
    return post


def _list() -> dict[str, Any]:
    get = operation(
        "listSubscriptions", "List subscriptions", 200, "SubscriptionList", headers=("Link",)
    )
    limit = {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}
    get["parameters"] += [
        {"name": "limit", "in": "query", "schema": limit},
        {"name": "cursor", "in": "query", "schema": {"type": "string", "maxLength": 22}},
    ]
    return get


def _deliveries() -> dict[str, Any]:
    get = operation(
        "listDeliveries",
        "What became of a subscription's deliveries",
        200,
        "DeliveryPage",
        also=(404,),
        headers=("Link",),
    )
    get["parameters"] += query_parameters(DeliverySearch)
    return get


def _change(
    name: str, summary: str, body: str, media_type: str = "application/json"
) -> dict[str, Any]:
    change = operation(
        name,
        summary,
        200,
        ONE,
        also=(404, 412, 413, 415),
        body=body,
        media_type=media_type,
        headers=("ETag",),
    )
    change["parameters"] += [IF_MATCH, MISSED]
    return change


def _delete() -> dict[str, Any]:
    delete = operation("deleteSubscription", "Delete a subscription", 204, also=(404, 412))
    delete["parameters"].append(IF_MATCH)
    return delete
