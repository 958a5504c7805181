"""The documented JSON schema is the model's, and what is delivered fits it."""

import json
from importlib import import_module
from typing import Any

import pytest

from artifact_pipeline import ArtifactEvent, EventType
from tests.events.steps import EVENT, NOW
from tests.image import ROOT

jsonschema: Any = import_module("jsonschema")  # it has no types
SCHEMA: dict[str, Any] = json.loads((ROOT / "docs/events.schema.json").read_text())


def test_the_schema_is_that_of_the_model() -> None:
    assert ArtifactEvent.schema_of_body() == SCHEMA


@pytest.mark.parametrize(
    "event",
    [
        EVENT,
        ArtifactEvent(
            id="b", type=EventType.TRANSFER_QUARANTINED, time=NOW, reason_code="poisoned"
        ),
        ArtifactEvent(
            id="c",
            type=EventType.BATCH_ENDED,
            time=NOW,
            batch_id=3,
            batch_state="done",
            batch_members=200,
        ),
    ],
    ids=lambda event: event.type,
)
def test_each_type_fits_the_schema(event: ArtifactEvent) -> None:
    validator = jsonschema.Draft202012Validator
    validator(SCHEMA, format_checker=validator.FORMAT_CHECKER).validate(json.loads(event.body()))
    assert ArtifactEvent.model_validate(event.payload()) == event


def test_an_event_has_no_place_for_a_path_or_a_url() -> None:
    assert set(SCHEMA["properties"]) == {
        *("id", "type", "time", "job_id", "run_id", "kind", "direction", "transfer_id"),
        *("request_id", "batch_id", "batch_state", "batch_members", "reason_code"),
        *("size", "sha256"),
    }


def test_the_page_lists_each_type_and_field() -> None:
    page = (ROOT / "docs/events.md").read_text()
    missing = {name for name in (*EventType, *SCHEMA["properties"]) if f"`{name}`" not in page}
    assert missing == set()
