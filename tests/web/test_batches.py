"""Batches: previews, progress, members and actions."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from artifact_pipeline.domain.errors import SqlUnavailableError
from artifact_pipeline.domain.model.artifact_events import EventType
from artifact_pipeline.domain.model.batches import BatchMode
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.worker.sql.batches import repository
from artifact_pipeline.worker.sql.event_outbox import SqlEventOutbox
from artifact_pipeline.worker.sql.tables import BatchRow
from artifact_pipeline.worker.web.services import batches as service
from artifact_pipeline.worker.web.shared_read import SharedRead
from tests.web.steps import MINUTE, Client, World

FAILED = {"filter": {"states": ["quarantined"]}}


@pytest.fixture
def client(world: World) -> Client:
    """Of a database with three transfers that were given up."""
    for job_id in (1, 2, 3):
        world.add_job(job_id)
    world.rows.add(TransferState.QUARANTINED, times=3, reason_code="poisoned", finished_at=MINUTE)
    return world.client()


@pytest.fixture
def started(client: Client) -> dict[str, Any]:
    """A batch of all three."""
    batch_id = client.post("/batches", FAILED).json()["batch"]["batch_id"]
    begun: dict[str, Any] = client.post(f"/batches/{batch_id}/start", {"reason": "fixed"}).json()
    return begun


def test_a_preview_is_frozen_and_changes_nothing(client: Client) -> None:
    # When
    preview = client.post("/batches", FAILED).json()
    # Then
    assert (preview["members"], preview["modes"]) == (3, {"failed": 3, "missing": 3, "all": 3})
    [group] = preview["groups"]
    assert (group["kind"], group["state"], group["members"]) == ("job_config", "quarantined", 3)
    batch = preview["batch"]
    assert (batch["state"], batch["requested_by"]) == ("previewed", "tests")
    assert batch["actions"] == ["start", "cancel"]
    assert client.answer("/quarantine")["transfers"] == 3
    again = client.answer(f"/batches/{batch['batch_id']}/preview")
    assert again == preview


def test_a_preview_of_nothing_leaves_nothing(client: Client) -> None:
    preview = client.post("/batches", {"filter": {"job_ids": [999]}}).json()
    assert (preview["batch"], preview["members"]) == (None, 0)
    assert client.answer("/batches")["batches"] == []


@pytest.mark.parametrize(
    "body",
    [
        *({}, {"filter": {"states": ["lost"]}}, {"filter": {"secret": 1}}),
        *({"filter": {}, "expires_hours": 0}, {"filter": {"include_stored": True}}),
    ],
)
def test_a_wrong_filter_is_named(client: Client, body: dict[str, Any]) -> None:
    response = client.post("/batches", body)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_input")
    assert response.json()["detail"].startswith(("filter", "expires_hours"))


def test_a_start_keeps_who_and_why(started: dict[str, Any]) -> None:
    assert (started["state"], started["requested_by"]) == ("running", "tests")
    assert (started["reason"], started["mode"], started["members"]) == ("fixed", "failed", 3)


def test_a_start_is_in_the_audit_trail(client: Client, started: dict[str, Any]) -> None:
    # Given one that is refused, too
    of = f"/batches/{started['batch_id']}"
    assert client.post(f"{of}/start", {"reason": "again"}).status_code == 400
    # When
    [refused, done] = client.answer("/audit")["entries"]
    # Then
    assert (done["what"], done["by"], done["reason"]) == ("batch start", "tests", "fixed")
    assert (done["outcome"], refused["outcome"]) == ("done", "refused")
    assert "3 members" in done["detail"]


def test_a_start_and_its_entry_are_one_transaction(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given the entry cannot be ended with the start
    batch_id = client.post("/batches", FAILED).json()["batch"]["batch_id"]

    def fail(*_arguments: object) -> None:
        raise SqlUnavailableError("the database is gone")

    monkeypatch.setattr(repository, "end_action", fail)
    # When
    response = client.post(f"/batches/{batch_id}/start", {"reason": "fixed"})
    # Then nothing was started
    assert response.status_code == 503
    assert client.answer(f"/batches/{batch_id}")["state"] == "previewed"


def test_a_batch_has_its_progress(client: Client, started: dict[str, Any]) -> None:
    batch = client.answer(f"/batches/{started['batch_id']}")
    assert batch["progress"]["outcomes"] == {"pending": 3}
    assert (batch["progress"]["ended"], batch["progress"]["left_seconds"]) == (0, None)


def test_a_count_that_takes_long_is_left_out(
    client: Client, started: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def too_late(_self: object, _seconds: float) -> None:
        return None

    monkeypatch.setattr(SharedRead, "get_within", too_late)
    assert client.answer(f"/batches/{started['batch_id']}")["progress"] is None


def test_its_pace_is_changed_and_it_is_paused_resumed_and_cancelled(
    client: Client, started: dict[str, Any]
) -> None:
    # When
    of = f"/batches/{started['batch_id']}"
    change = {"rate": 5, "bytes_per_second": "10MiB", "between": "22:00-06:00", "priority": "low"}
    changed = client.post(f"{of}/change", {**change, "reason": "slower"}).json()
    paused = client.post(f"{of}/pause", {"reason": "a look"}).json()
    resumed = client.post(f"{of}/resume", {"reason": "all well"}).json()
    cancelled = client.post(f"{of}/cancel", {"reason": "enough"}).json()
    # Then
    assert (changed["rate"], paused["state"], resumed["state"]) == (5, "paused", "running")
    assert (cancelled["batch"]["state"], cancelled["under_way"]) == ("cancelled", 0)
    trail = client.answer("/audit")["entries"]
    assert [(each["what"], each["reason"], each["by"]) for each in trail] == [
        ("batch cancel", "enough", "tests"),
        ("batch resume", "all well", "tests"),
        ("batch pause", "a look", "tests"),
        ("batch change", "slower", "tests"),
        ("batch start", "fixed", "tests"),
    ]
    assert "rate 5" in trail[-2]["detail"]
    assert (changed["bytes_per_second"], changed["priority"]) == (10 * 2**20, "low")
    assert (changed["between"], changed["timezone"]) == ("22:00-06:00", "UTC")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"between": "22"}, "22: use hours such as 22:00-06:00"),
        ({"timezone": "UTC"}, "timezone UTC: it is of between"),
        ({"bytes_per_second": 1}, "bytes per second: 1: use 1KiB to 1TiB"),
    ],
)
def test_a_wrong_pace_is_named(
    client: Client, started: dict[str, Any], change: dict[str, Any], said: str
) -> None:
    asked = {**change, "reason": "slower"}
    response = client.post(f"/batches/{started['batch_id']}/change", asked)
    assert (response.status_code, response.json()["code"]) == (400, "invalid_request")
    assert said in response.json()["detail"]


def test_a_target_of_events_hears_of_a_batch_that_is_cancelled(
    engine: Engine, tmp_path: Path
) -> None:
    # Given
    world = World(engine, tmp_path, events=True, events_task="platform.on_artifact")
    world.add_job(1)
    world.rows.add(TransferState.QUARANTINED, reason_code="poisoned", finished_at=MINUTE)
    with closing(world):
        client = world.client()
        of = f"/batches/{client.post('/batches', FAILED).json()['batch']['batch_id']}"
        client.post(f"{of}/start", {"reason": "fixed"})
        # When
        client.post(f"{of}/cancel", {"reason": "enough"})
    # Then
    [queued] = SqlEventOutbox(engine).list(10)
    assert (queued.event.type, queued.target) == (EventType.BATCH_ENDED, "task")


def test_what_its_state_does_not_allow_is_refused_and_kept(
    client: Client, started: dict[str, Any]
) -> None:
    # When
    response = client.post(f"/batches/{started['batch_id']}/resume", {"reason": "x"})
    # Then
    assert response.status_code == 400
    assert response.json()["detail"] == "batch 1 is running: to resume it, it must be paused"
    entry = client.answer("/audit")["entries"][0]
    assert entry["outcome"] == "refused"


def test_members_come_in_pages_and_by_outcome(
    client: Client, started: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    of = f"/batches/{started['batch_id']}/members"
    # When
    first = client.answer(of, limit=2)
    second = client.answer(of, limit=2, after=first["next"])
    none = client.answer(of, outcome="done")
    monkeypatch.setattr(service, "_SEARCHED", 2)
    part = client.answer(of, outcome="done")
    # Then
    members = [each["member"]["job_id"] for each in first["members"] + second["members"]]
    assert sorted(members) == [1, 2, 3]
    assert second["next"] is None
    assert none == {"members": [], "next": None}
    assert part == {"members": [], "next": 2}


def test_the_report_has_a_line_for_each_member(client: Client, started: dict[str, Any]) -> None:
    response = client.get(f"/batches/{started['batch_id']}/report")
    lines = response.text.splitlines()
    assert lines[0].startswith("job_id,run_id,kind,")
    assert len(lines) == 4
    assert response.headers["content-type"].startswith("text/csv")


def test_batches_come_in_pages(client: Client) -> None:
    # Given
    for _ in range(3):
        client.post("/batches", FAILED)
    # When
    first = client.answer("/batches", limit=2)
    second = client.answer("/batches", limit=2, before=first["next"])
    # Then
    ids = [[each["batch_id"] for each in page["batches"]] for page in (first, second)]
    assert (ids, second["next"]) == ([[3, 2], [1]], None)


@pytest.mark.parametrize("what", ["", "/members", "/report", "/preview"])
def test_one_that_does_not_exist(client: Client, what: str) -> None:
    response = client.get(f"/batches/9{what}")
    assert (response.status_code, response.json()["detail"]) == (404, "there is no batch 9")


def test_a_target_of_events_can_hear_of_the_end(
    world: World, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a snapshot, and no target
    batch_id = client.post("/batches", FAILED).json()["batch"]["batch_id"]
    body = {"reason": "x", "notify": "webhook"}
    refused = client.post(f"/batches/{batch_id}/start", body)
    assert refused.status_code == 400
    assert refused.json()["detail"].startswith("notify webhook: no target of events")
    # When it is started with one
    for name, value in (("events", True), ("events_url", "https://example.org/hook")):
        monkeypatch.setitem(world.settings.__dict__, name, value)
    assert client.post(f"/batches/{batch_id}/start", body).status_code == 200
    # Then it is kept
    with world.engine.connect() as connection:
        assert connection.scalar(select(BatchRow.notify)) == "webhook"


def test_each_mode_can_be_asked_for(client: Client) -> None:
    for mode in BatchMode:
        batch_id = client.post("/batches", FAILED).json()["batch"]["batch_id"]
        body = {"reason": "x", "mode": mode, "max_in_flight": 5}
        assert client.post(f"/batches/{batch_id}/start", body).json()["mode"] == mode
