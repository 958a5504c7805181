"""Messages as other clients put them into a list of Redis, recorded from each of them.

The one of gocelery has the fields of its source, in their order.
"""

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.tasks.message_validation import rebuild_message
from artifact_pipeline.tasks.receipt import bare_request

RECORDED: list[dict[str, Any]] = json.loads(
    Path(__file__).with_name("recorded_messages.json").read_text()
)
ARTIFACTS = {
    "artifacts.upload_job_config": Artifact(ArtifactKind.JOB_CONFIG, 12),
    "artifacts.upload_run_results": Artifact(ArtifactKind.RUN_RESULTS, 12, 4),
}


@pytest.mark.parametrize(
    "recorded",
    RECORDED,
    ids=[f"{each['client']}, protocol {each['protocol']}" for each in RECORDED],
)
def test_a_worker_takes_it(recorded: dict[str, Any]) -> None:
    # When
    element = json.dumps(recorded["message"]).encode()
    taken = json.loads(rebuild_message(element, "results", "a tag"))
    # Then it is the request that its sender meant
    args, kwargs, _links = json.loads(b64decode(taken["body"]))
    request = bare_request(taken["headers"], args, kwargs)
    assert request is not None
    assert request.direction is Direction.UPLOAD
    assert request.artifact == ARTIFACTS[taken["headers"]["task"]]
    sent = recorded["message"]
    own = sent.get("headers", {}) if recorded["protocol"] == 2 else _body(sent)
    assert request.request_id == own["id"]


def test_every_client_is_there() -> None:
    assert {each["client"].split(",")[0] for each in RECORDED} == {
        *("Celery 5.2.7", "Celery 5.3.6", "Celery 5.4.0", "Celery 5.5.3", "Celery 5.6.0"),
        *("celery-node 0.5.9", "gocelery"),
    }


def _body(message: dict[str, Any]) -> Any:
    return json.loads(b64decode(message["body"]))
