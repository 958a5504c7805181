"""Flower sees the uploads of a page as tasks."""

from typing import Any

import pytest

from artifact_pipeline.domain.errors import SourceMissingError, StoreUnavailableError
from artifact_pipeline.worker.messages.handled_uploads import HandledUploads
from artifact_pipeline.worker.messages.page_events import _send
from tests.worker.handled_steps import TASK, ended, message


class Dispatcher:
    """Celery's, as far as events are sent by it."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []

    def send(self, kind: str, **fields: Any) -> None:
        self.sent.append((kind, fields))


class EventConsumer:
    def __init__(self) -> None:
        self.event_dispatcher = Dispatcher()


def events_of(handled: HandledUploads) -> list[tuple[str, dict[str, Any]]]:
    consumer = EventConsumer()
    handled.read()
    _send(consumer, handled)
    return consumer.event_dispatcher.sent


def test_flower_sees_each_upload_as_a_task(
    handled: HandledUploads, caplog: pytest.LogCaptureFixture
) -> None:
    # When
    with caplog.at_level("INFO"):
        handled.ended([ended("a"), ended("b", SourceMissingError("there is no file"))])
    sent = events_of(handled)
    # Then each is received, started, and ends as its task would have
    assert [(kind, fields["uuid"]) for kind, fields in sent] == [
        *(("task-received", "a"), ("task-started", "a"), ("task-succeeded", "a")),
        *(("task-received", "b"), ("task-started", "b"), ("task-failed", "b")),
    ]
    received, _, succeeded, *_, failed = [fields for _, fields in sent]
    assert (received["name"], received["kwargs"]) == (TASK, "{'job_id': 12}")
    assert succeeded["result"] == "{'state': 'done', 'size': 13, 'seconds': 0.25}"
    assert failed["exception"] == "SourceMissingError('source_missing: there is no file')"
    # And at INFO the log repeats no success
    assert f"Task {TASK}[a]" not in caplog.text
    assert f"Task {TASK}[b] failed: SourceMissingError" in caplog.text


def test_an_upload_that_waits_for_its_next_attempt_shows_as_retried(
    handled: HandledUploads,
) -> None:
    handled.ended([ended("a", StoreUnavailableError("https://key:secret@s3/ 503"))])
    kind, fields = events_of(handled)[-1]
    assert kind == "task-retried"
    assert "secret" not in fields["exception"]


def test_events_are_sent_once_each(handled: HandledUploads) -> None:
    # Given news that is read by a look at a message
    told: list[str] = []
    handled.listen(lambda: told.append("news"))
    handled.ended([ended("a")])
    # When
    handled.is_handled(message("b"))
    # Then
    assert told == ["news"]
    assert len(events_of(handled)) == 3
    assert events_of(handled) == []
