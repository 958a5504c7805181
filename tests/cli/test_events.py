"""`artifacts events`, and what other commands say of events."""

import pytest
from pydantic import TypeAdapter
from sqlalchemy import Engine

from artifact_pipeline.domain.model.queued_events import QueuedEvent
from artifact_pipeline.worker.sql.event_outbox import SqlEventOutbox
from artifact_pipeline.worker.sql.transfers.event_log import EventLog
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from tests.cli.commands import Answer, Command
from tests.cli.json_models import SHAPES
from tests.sql.batch_steps import History
from tests.sql.steps import CONFIG, HOUR, LOCATION, claimed, stored_artifact

pytestmark = pytest.mark.processes

ON = {
    "ARTIFACTS_EVENTS": "true",
    "ARTIFACTS_EVENTS_TASK": "platform.on_artifact",
    "ARTIFACTS_EVENTS_TARGETS": "nightly=https://hooks.example.com/secret-path",
}


@pytest.fixture
def outbox(database: Engine) -> SqlEventOutbox:
    """With an event that was refused, one that failed, and one that was not tried."""
    transfers = SqlTransfers(database, EventLog(("webhook",)))
    for request_id in "abc":
        claim = claimed(transfers, CONFIG, request_id)
        transfers.record(claim, stored_artifact(CONFIG), LOCATION)
    outbox = SqlEventOutbox(database)
    [first] = outbox.take(["webhook"], 1, HOUR)
    outbox.refuse(first, "HTTP 410")
    [second] = outbox.take(["webhook"], 1, HOUR)
    outbox.postpone(second, "no connection", HOUR)
    return outbox


def refused(outbox: SqlEventOutbox) -> list[QueuedEvent]:
    return list(outbox.list(10, refused=True))


def test_without_events_the_list_is_empty(artifacts: Command, database: Engine) -> None:
    del database
    assert artifacts("events", "list").out == "no event waits for its delivery\n"
    assert artifacts("events", "list", "--refused").out == "no event was refused\n"
    assert artifacts("events", "list", "--json").json == []


def test_what_waits_is_listed_with_its_error(artifacts: Command, outbox: SqlEventOutbox) -> None:
    # When
    answer = artifacts("events", "list", "--json")
    # Then
    TypeAdapter(SHAPES["events list"]).validate_json(answer.out)
    assert [(row["attempts"], row["error"]) for row in answer.json] == [
        (1, "HTTP 410"),
        (1, "no connection"),
        (0, None),
    ]
    assert len(artifacts("events", "list", "--limit", "2", "--json").json) == 2
    assert artifacts("events", "list", "--target", "task", "--json").json == []
    [row] = artifacts("events", "list", "--refused", "--json").json
    assert row["event"] == refused(outbox)[0].event.id
    assert row["refused_at"] is not None
    assert row["next_at"] is None


def test_one_event_is_redelivered(artifacts: Command, outbox: SqlEventOutbox) -> None:
    # Given
    [event] = refused(outbox)
    # When
    answer = artifacts("events", "redeliver", event.event.id, "--reason", "repaired", "--json")
    # Then
    TypeAdapter(SHAPES["events redeliver"]).validate_json(answer.out)
    assert answer.json == {"redelivered": 1}
    assert refused(outbox) == []
    [kept] = [each for each in artifacts("history", "--json").json if each["reason"] == "repaired"]
    assert kept["what"] == "events redeliver"


def test_all_are_redelivered(artifacts: Command, outbox: SqlEventOutbox) -> None:
    answer = artifacts("events", "redeliver", "--target", "webhook")
    assert answer.out == "2 events are delivered within seconds, if their target takes them\n"
    assert len(outbox.take(["webhook"], 10, HOUR)) == 3
    assert "give the id of an event" in artifacts("events", "redeliver").refusal


def test_what_nobody_wants_any_more_is_discarded(
    artifacts: Command, outbox: SqlEventOutbox
) -> None:
    # Given
    [event] = refused(outbox)
    # When
    answer = artifacts("events", "discard", event.event.id, "--json")
    # Then
    TypeAdapter(SHAPES["events discard"]).validate_json(answer.out)
    assert answer.json == {"discarded": 1}
    assert len(outbox.list(10)) == 2
    assert artifacts("events", "discard", "--target", "task").out.startswith("0 events")
    assert artifacts("events", "discard", "--all", "--reason", "gone").status == 0
    assert not outbox.list(10)
    assert "give the id of an event" in artifacts("events", "discard").refusal


@pytest.mark.usefixtures("outbox", "queues")
def test_the_status_names_what_waits_and_what_was_refused(artifacts: Command) -> None:
    # When
    answer = artifacts("status", "--json")
    # Then
    [backlog] = answer.json["events"]
    assert (backlog["target"], backlog["waiting"], backlog["refused"]) == ("webhook", 2, 1)
    assert 0 <= backlog["oldest_seconds"] < 60
    assert "events_refused" in [each["code"] for each in answer.json["problems"]]
    shown = artifacts("status").out
    assert "events    2 wait for webhook, the first for " in shown
    assert "artifacts events list --refused --target webhook" in shown


class TestNotify:
    @pytest.fixture(autouse=True)
    def _on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in ON.items():
            monkeypatch.setenv(name, value)

    def start(self, artifacts: Command, notify: str) -> Answer:
        snapshot = artifacts("batch", "preview", "--json").json["snapshot"]
        return artifacts("batch", "start", str(snapshot), "--reason", "x", "--notify", notify)

    def test_the_batch_keeps_the_name_of_its_target(
        self, artifacts: Command, history: History
    ) -> None:
        answer = self.start(artifacts, "nightly")
        assert answer.status == 0
        [batch] = history.batches.newest(1)
        assert batch.notify == "nightly"
        # And its end is told to it, though the command that ends it has no secret
        artifacts("batch", "cancel", str(batch.id))
        told = SqlEventOutbox(history.engine).list(10)
        assert [each.target for each in told] == ["task", "nightly"]

    @pytest.mark.parametrize("name", ["https://10.0.0.1/latest/meta-data", "platform.other", "x"])
    def test_only_targets_of_the_settings_can_be_named(
        self, artifacts: Command, history: History, name: str
    ) -> None:
        answer = self.start(artifacts, name)
        assert answer.status == 1
        assert answer.error == (
            f"artifacts: --notify {name}: no target of events has this name. Targets: task, nightly"
        )
        assert [batch.state for batch in history.batches.newest(10)] == ["previewed"]

    def test_events_must_be_on(
        self, artifacts: Command, history: History, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        del history
        monkeypatch.delenv("ARTIFACTS_EVENTS")
        answer = self.start(artifacts, "nightly")
        assert "ARTIFACTS_EVENTS: events are off" in answer.error
