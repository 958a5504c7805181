"""What `artifacts status` answers, and the dispatch that it tells of."""

from datetime import datetime
from typing import Any

from artifact_pipeline.tasks.app import make_app
from artifact_pipeline.tasks.last_dispatch import note_dispatch
from artifact_pipeline.worker.embedded.servers import Valkey
from tests.cli.commands import Answer


def dispatched(queues: Valkey, at: datetime) -> None:
    note_dispatch(at, make_app(queues.url))


def codes(answer: Answer) -> list[str]:
    return [problem["code"] for problem in answer.json["problems"]]


def of_queue(answer: Answer, name: str) -> dict[str, Any]:
    [found] = [queue for queue in answer.json["queues"] if queue["queue"] == name]
    assert isinstance(found, dict)
    return found
