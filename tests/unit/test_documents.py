"""The committed documents are what the models say, and valid for those who will read them."""

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from openapi_spec_validator import validate

from contracts.documents.write import HERE, MODELS, documents
from contracts.encoding.parse import parse_event
from contracts.problems import Problem
from ingest.app import Edge
from ingest.settings import IngestSettings
from query.app import Reader
from query.settings import QuerySettings
from tests.builders import SEED_SAMPLE, an_event, events, represented

SEED_ANSWER = {
    "entity_id": "string",
    "entity_name": "string",
    "event_payload": {
        "base64_encoded_fault_json": "eyJpZCI6IjEyXCJ9",
        "base64_encoded_payload_json": "ewoiaWQiOiIxMiIsCiJyZWZlcmVuY2UiOiIxMjEyMyIKfQ==",
        "entity_id": "string",
        "key_attributes": {"additionalProp1": "string"},
        "operation": "BULK_CREATE",
    },
    "event_source": "APPLICATION",
    "event_type": "ENTITY_EVENT",
    "id": "01a20d33-994f-74a1-8936-e15ecec113da",
}


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((HERE / f"schemas/{name}.schema.json").read_text())
    return found


@pytest.mark.parametrize("name", documents())
def test_a_committed_document_is_the_generated_one(name: str) -> None:
    assert (HERE / name).read_text() == documents()[name], "run: python -m contracts"


def test_the_openapi_document_is_valid() -> None:
    validate(json.loads((HERE / "openapi.json").read_text()))


def test_the_openapi_document_has_every_path_and_method_that_is_served_and_no_other() -> None:
    written = json.loads((HERE / "openapi.json").read_text())["paths"]
    told = {
        (path, method.upper())
        for path, item in written.items()
        for method in item
        if method != "parameters"
    }
    edge, reader = Edge(IngestSettings()), Reader(QuerySettings())
    served = {
        (path, method)
        for resources in (edge.resources(), reader.resources())
        for path, handlers in resources.items()
        for method in handlers
    }
    assert served == told


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    document = json.loads((HERE / "asyncapi.json").read_text())

    def references(part: Any) -> list[str]:
        if isinstance(part, dict):
            own = [part["$ref"]] if "$ref" in part else []
            return own + [ref for each in part.values() for ref in references(each)]
        return [ref for each in part for ref in references(each)] if isinstance(part, list) else []

    assert references(document)
    for reference in references(document):
        target = document
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]


@pytest.mark.parametrize("name", MODELS)
def test_a_schema_is_a_valid_schema(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(name))


def test_the_seeds_samples_fit_their_schemas() -> None:
    jsonschema.validate(SEED_SAMPLE, schema("event-draft"))
    jsonschema.validate(SEED_ANSWER, schema("event"))


@given(events)
def test_what_the_edge_accepts_fits_the_schemas_that_consumers_hold(event: dict[str, Any]) -> None:
    jsonschema.validate(event, schema("event-draft"))
    shown = represented(event, str(SEED_ANSWER["id"]))
    jsonschema.validate(json.loads(shown), schema("event"))


def test_a_problem_fits_its_schema() -> None:
    with pytest.raises(Problem) as refused:
        parse_event(json.dumps(an_event(entity_id="", colour=1)).encode())
    jsonschema.validate(refused.value.document(), schema("problem"))
