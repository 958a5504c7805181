"""The quarantine: groups, and actions on what was shown."""

from typing import Any

import pytest

from artifact_pipeline.domain.maintenance.runbook import runbook
from artifact_pipeline.domain.model.selection import Selection
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.domain.reasons import ReasonCode
from artifact_pipeline.worker.sql.transfers import quarantine_pages
from artifact_pipeline.worker.web.access.users import LocalAccess
from artifact_pipeline.worker.web.selections import ShownSelection
from tests.sql.steps import Statements
from tests.web.steps import MINUTE, Client, World


def quarantine(world: World, reason: str, times: int = 1, **values: Any) -> list[int]:
    given = {"finished_at": 5 * MINUTE, "last_error": "as <b>it</b> was", **values}
    return world.rows.add(TransferState.QUARANTINED, times=times, reason_code=reason, **given)


def shown(client: Client, **query: Any) -> dict[str, Any]:
    selection = client.answer("/quarantine/selection", **query)
    return {"token": selection["token"], "count": selection["transfers"], "reason": "it is fixed"}


def states(world: World) -> list[str]:
    with world.engine.connect() as connection:
        return list(connection.exec_driver_sql("SELECT state FROM transfers ORDER BY id").scalars())


@pytest.mark.parametrize("reason", list(ReasonCode))
def test_each_reason_has_a_meaning_and_a_line_of_the_runbook(reason: ReasonCode) -> None:
    entry = runbook(reason)
    assert entry.meaning.endswith(".")
    assert entry.fix.endswith(".")


def test_the_groups_have_examples(either_world: World) -> None:
    # Given
    first = quarantine(either_world, "poisoned", 3)
    quarantine(either_world, "archived", finished_at=600 * MINUTE)
    # When
    answer = either_world.client().answer("/quarantine")
    # Then
    assert answer["transfers"] == 4
    poisoned, archived = answer["groups"]
    assert (poisoned["reason"], poisoned["transfers"], poisoned["last_hour"]) == ("poisoned", 3, 3)
    assert [each["job_id"] for each in poisoned["examples"]] == [first[2], first[0]]
    assert poisoned["examples"][0]["error"] == "as <b>it</b> was"
    assert (archived["last_hour"], archived["is_permanent"]) == (0, True)
    assert "artifacts jobs uploads restore" in archived["runbook"]


def test_the_list_comes_in_pages(either_world: World) -> None:
    # Given two that were given up at the same moment
    client = either_world.client()
    ids = quarantine(either_world, "poisoned", 2) + quarantine(either_world, "archived", 2)
    # When
    pages, before = [], None
    while True:
        query: dict[str, Any] = {"before": before} if before else {}
        page = client.answer("/quarantine/transfers", limit=3, **query)
        pages.append([each["job_id"] for each in page["transfers"]])
        before = page["next"]
        if before is None:
            break
    # Then
    assert pages == [ids[:0:-1], ids[:1]]


@pytest.mark.parametrize(
    ("query", "found"),
    [({"reason": "poisoned"}, [1, 2]), ({"kind": "job_input"}, [3]), ({"job_id": 2}, [2])],
)
def test_the_list_has_filters(world: World, query: dict[str, Any], found: list[int]) -> None:
    quarantine(world, "poisoned", 2)
    quarantine(world, "archived", kind="job_input")
    page = world.client().answer("/quarantine/transfers", **query)
    assert sorted(each["job_id"] for each in page["transfers"]) == found


def test_a_search_looks_at_so_many_at_a_time(
    client: Client, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given the one that fits is the oldest of five
    monkeypatch.setattr(quarantine_pages, "_SEARCHED", 3)
    quarantine(world, "poisoned", finished_at=50 * MINUTE)
    quarantine(world, "archived", 4)
    # When
    first = client.answer("/quarantine/transfers", reason="poisoned")
    second = client.answer("/quarantine/transfers", reason="poisoned", before=first["next"])
    # Then
    assert (first["transfers"], len(second["transfers"]), second["next"]) == ([], 1, None)


@pytest.mark.parametrize("before", ["x", "1", "1-2-3", f"{10**19}-1", "-1-1"])
def test_a_wrong_place_is_refused(client: Client, before: str) -> None:
    assert client.get("/quarantine/transfers", before=before).status_code in {400, 422}


class TestActions:
    def test_a_retry_of_what_was_shown(self, client: Client, world: World) -> None:
        # Given
        quarantine(world, "poisoned", 2)
        quarantine(world, "archived")
        # When
        outcome = client.post("/quarantine/retry", shown(client, reason="poisoned")).json()
        # Then
        assert outcome == {"action_id": 1, "is_running": False, "changed": 2, "superseded": 0}
        assert states(world) == ["requested", "requested", "quarantined"]

    def test_it_is_kept_in_the_audit_trail(self, client: Client, world: World) -> None:
        # Given
        [job_id] = quarantine(world, "poisoned")
        # When
        client.post("/quarantine/discard", shown(client, reason="poisoned"))
        # Then
        [entry] = client.answer("/audit")["entries"]
        assert (entry["what"], entry["by"], entry["reason"]) == (
            "quarantine discard",
            "tests",
            "it is fixed",
        )
        assert (entry["outcome"], "via web" in entry["detail"]) == ("done", True)
        assert states(world) == ["cancelled"]
        history = client.answer(f"/jobs/{job_id}/history")["entries"]
        assert "quarantine discard" in {each["what"] for each in history}

    def test_what_failed_since_was_not_shown_and_is_left(
        self, client: Client, world: World
    ) -> None:
        # Given
        quarantine(world, "poisoned")
        action = shown(client, reason="poisoned")
        quarantine(world, "poisoned", finished_at=-MINUTE)
        # When
        outcome = client.post("/quarantine/retry", action).json()
        # Then
        assert outcome["changed"] == 1
        assert states(world) == ["requested", "quarantined"]

    def test_what_has_changed_since_is_refused(self, client: Client, world: World) -> None:
        # Given another operator was quicker
        quarantine(world, "poisoned", 2)
        action = shown(client, reason="poisoned")
        world.sources.adapters.quarantine.retry(Selection(job_ids=(1,)))
        # When
        response = client.post("/quarantine/discard", action)
        # Then nothing is changed, and the refusal is kept
        assert (response.status_code, response.json()["code"]) == (409, "changed")
        assert response.json()["detail"].startswith("2 transfers were shown, and 1 of them are")
        assert states(world) == ["requested", "quarantined"]
        [entry] = client.answer("/audit")["entries"]
        assert entry["outcome"] == "refused"

    @pytest.mark.parametrize(
        ("change", "status"),
        [
            ({"count": 3}, 409),
            ({"token": "e30=.x"}, 409),
            ({"token": ""}, 409),
            ({"reason": " "}, 400),
            ({"reason": ""}, 422),
            ({"count": 0}, 422),
            ({"other": 1}, 422),
        ],
    )
    def test_what_was_not_shown_is_refused(
        self, client: Client, world: World, change: dict[str, Any], status: int
    ) -> None:
        quarantine(world, "poisoned", 2)
        action = {**shown(client, reason="poisoned"), **change}
        assert client.post("/quarantine/discard", action).status_code == status
        assert states(world) == ["quarantined"] * 2

    def test_another_users_token_is_refused(self, world: World) -> None:
        # Given
        quarantine(world, "poisoned")
        action = shown(world.client(), reason="poisoned")
        other = world.client(LocalAccess("another"))
        # Then
        assert other.post("/quarantine/retry", action).status_code == 409

    def test_a_token_does_not_last(self, client: Client, world: World) -> None:
        # Given a selection that was shown an hour ago
        quarantine(world, "poisoned")
        at = world.rows.now - 60 * MINUTE
        old = ShownSelection(Selection(reasons=(ReasonCode.POISONED,)), 1, at)
        token = old.token(world.service.signer, "tests")
        # When
        action = {"token": token, "count": 1, "reason": "x"}
        response = client.post("/quarantine/retry", action)
        # Then
        assert response.json()["detail"] == "the selection was shown too long ago. Look again"

    def test_all_of_them_is_no_selection(self, client: Client) -> None:
        response = client.get("/quarantine/selection")
        assert (response.status_code, response.json()["code"]) == (400, "invalid_request")


def test_the_number_of_statements_does_not_grow(client: Client, world: World) -> None:
    counts = []
    for times in (1, 300):
        quarantine(world, "poisoned", times)
        world.service.quarantine._groups._known = None
        statements = Statements(world.sources.engine)
        client.answer("/quarantine")
        client.answer("/quarantine/transfers", reason="poisoned")
        counts.append(len(statements.seen))
    assert counts[0] == counts[1] <= 6
