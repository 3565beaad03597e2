"""The requests that the generated Python client makes, as JSON; run in its own environment."""

import importlib
import json
import pkgutil

import events_client
from events_client.api.default import post_event, post_events, post_subscription, search_events
from events_client.models import (
    DeliverySettings,
    DeliverySettingsFairness,
    EventDraft,
    EventDraftEventSource,
    EventDraftEventType,
    EventPayload,
    EventPayloadOperation,
    SearchEventsKeyAttributes,
    SqsDestination,
    SubscriptionDraft,
    SubscriptionDraftFilter,
)

for module in pkgutil.walk_packages(events_client.__path__, "events_client."):
    importlib.import_module(module.name)

least = EventDraft(
    entity_id="1000144",
    event_payload=EventPayload(operation=EventPayloadOperation.UPDATE),
    event_source=EventDraftEventSource.ORDER,
    event_type=EventDraftEventType.ENTITY_EVENT,
)
subscription = SubscriptionDraft(
    name="faults",
    filter_=SubscriptionDraftFilter(),
    destination=SqsDestination(type_="sqs", arn="arn:aws:sqs:eu-west-1:123456789012:faults"),
    delivery=DeliverySettings(
        fairness=DeliverySettingsFairness.ENTITY,
        dead_letter=SqsDestination(
            type_="sqs", arn="arn:aws:sqs:eu-west-1:123456789012:faults-dead"
        ),
    ),
)
attributes = SearchEventsKeyAttributes.from_dict({"key_attributes.correlationId": "4711"})

requests = {
    "post": post_event._get_kwargs(body=least, x_twc_tenant="acme"),
    "batch": post_events._get_kwargs(body=[least, least], x_twc_tenant="acme"),
    "subscribe": post_subscription._get_kwargs(body=subscription, x_twc_tenant="acme"),
    "search": search_events._get_kwargs(key_attributes=attributes, x_twc_tenant="acme"),
}
print(json.dumps(requests))
