"""Jobs: the search, and a job's directory."""

from datetime import timedelta
from typing import Any

import pytest

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.operator_actions import NewAction
from artifact_pipeline.domain.model.tombstones import DeletionScope
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.worker.sql import job_pages
from artifact_pipeline.worker.sql.audit_trail import SqlAuditTrail
from artifact_pipeline.worker.sql.legal_holds import SqlLegalHolds
from tests.sql.status_steps import lost_and_failed, past_attempts
from tests.sql.steps import CREATED_AT, Statements
from tests.web.steps import CONFIG, MINUTE, RESULTS, Client, World

INPUT = Artifact(ArtifactKind.JOB_INPUT, 12)
LOGS = Artifact(ArtifactKind.RUN_LOGS, 12, 4)


def ids(page: dict[str, Any]) -> list[int]:
    return [job["job_id"] for job in page["jobs"]]


class TestSearch:
    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ({}, [14, 13, 12]),
            ({"job_id": 13}, [13]),
            ({"run_id": 4}, [12]),
            ({"user_id": 8}, [14]),
            ({"tag": "cfd"}, [14, 12]),
            ({"tag": "team=aero"}, [13]),
            ({"tag": "cfd", "user_id": 7}, [12]),
            ({"job_id": 999}, []),
            ({"tag": "' OR 1=1 --"}, []),
        ],
    )
    def test_each_criterion(
        self, either_world: World, query: dict[str, Any], found: list[int]
    ) -> None:
        # Given
        either_world.add_job(12, 4, tags=["cfd", "x"])
        either_world.add_job(13, 5, tags={"team": "aero"})
        either_world.add_job(14, user_id=8, tags=["cfd"])
        # Then
        assert ids(either_world.client().answer("/jobs", **query)) == found

    def test_a_page_follows_the_other(self, client: Client, world: World) -> None:
        # Given
        for job_id in range(1, 6):
            world.add_job(job_id)
        # When
        pages, before = [], None
        while True:
            page = client.answer("/jobs", limit=2, **({"before": before} if before else {}))
            pages.append(ids(page))
            before = page["next"]
            if before is None:
                break
        # Then
        assert pages == [[5, 4], [3, 2], [1]]

    def test_a_search_looks_at_so_many_jobs_at_a_time(
        self, client: Client, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given
        monkeypatch.setattr(job_pages, "_SEARCHED", 3)
        for job_id in range(1, 10):
            world.add_job(job_id, user_id=2 if job_id in {1, 8} else 7)
        # When
        pages, before = [], None
        while True:
            query: dict[str, Any] = {"before": before} if before else {}
            page = client.answer("/jobs", user_id=2, **query)
            pages.append((ids(page), page["searched_to"]))
            before = page["next"]
            if before is None:
                break
        # Then a page may be empty, and says how far it has looked
        assert pages == [([8], 6), ([], 2), ([1], None)]

    def test_it_shows_what_each_job_has(self, client: Client, world: World) -> None:
        # Given
        world.add_job(12, 4, tags=["<script>alert(1)</script>"])
        world.put(CONFIG, b"{}")
        world.put(RESULTS, b"12345")
        rows = world.rows
        rows._next_id = 12
        rows.add(TransferState.REQUESTED)
        # When
        [job] = client.answer("/jobs")["jobs"]
        # Then hostile names are data
        assert job["tags"] == ["<script>alert(1)</script>"]
        assert (job["artifacts"], job["size"], job["active"], job["quarantined"]) == (2, 7, 1, 0)
        assert job["directory"] == "jobs/12/2025/10/23/211500/"

    def test_the_number_of_statements_does_not_grow(self, client: Client, world: World) -> None:
        counts = []
        for job_id in range(1, 41):
            world.add_job(job_id)
            if job_id in {1, 40}:
                statements = Statements(world.sources.engine)
                client.answer("/jobs", tag="x")
                counts.append(len(statements.seen))
        assert counts[0] <= counts[1] <= 4


class TestJob:
    def test_the_directory_is_a_tree(self, either_world: World) -> None:
        # Given
        world = either_world
        world.add_job(12, 4, 5)
        world.put(CONFIG, b"{}", stored_at=CREATED_AT + timedelta(days=90))
        world.put(RESULTS, b"12345", stored_at=CREATED_AT + timedelta(hours=1))
        world.rows._next_id = 12
        world.rows.add(
            TransferState.QUARANTINED,
            kind="job_input",
            reason_code="source_missing",
            finished_at=MINUTE,
        )
        # When
        job = world.client().answer("/jobs/12")
        # Then
        config, missing = job["artifacts"]
        assert (config["name"], config["state"], config["is_late"]) == (
            "job_config.json",
            "stored",
            True,
        )
        assert config["key"] == "jobs/12/2025/10/23/211500/job_config.json"
        assert (config["size"], config["scheme"], config["is_zip"]) == (2, "prefix", False)
        assert (missing["kind"], missing["state"], missing["reason"]) == (
            "job_input",
            "quarantined",
            "source_missing",
        )
        assert [run["run_id"] for run in job["runs"]] == [4, 5]
        [results] = job["runs"][0]["artifacts"]
        assert (results["size"], results["is_late"], results["is_zip"]) == (5, False, True)
        assert job["runs"][1]["artifacts"] == []

    def test_a_transfer_has_a_timeline(self, client: Client, world: World) -> None:
        # Given one that was lost once and failed then, and one that runs
        world.add_job(12)
        rows = world.rows
        past = lost_and_failed(rows.now - 8 * MINUTE, "<b>no answer")
        rows._next_id = 12
        rows.add(
            TransferState.WAITING,
            requested_at=10 * MINUTE,
            enqueued_at=9 * MINUTE,
            claimed_at=8 * MINUTE,
            next_attempt_at=-5 * MINUTE,
            attempts=2,
            reason_code="s3_unavailable",
            last_error="no answer",
            requested_by="anna",
            past_attempts=past_attempts(*past),
        )
        rows._next_id = 12
        rows.add(
            TransferState.RUNNING,
            kind="job_input",
            claimed_at=MINUTE,
            lease_expires_at=-MINUTE,
            attempts=2,
        )
        # When
        running, waiting = client.answer("/jobs/12")["transfers"]
        # Then
        assert [(each["what"], each["is_future"]) for each in waiting["timeline"]] == [
            ("requested", False),
            ("published", False),
            ("lost", False),
            ("failed", False),
            ("retry", True),
        ]
        details = [event["detail"] for event in waiting["timeline"][2:4]]
        assert details == [
            "attempt 1, 18.0 s, on host:1:2",
            "attempt 2, 60.0 s, on host:3:4: s3_unavailable: <b>no answer",
        ]
        assert [(each["number"], each["end"]) for each in waiting["past_attempts"]] == [
            (1, "lost"),
            (2, "failed"),
        ]
        assert running["past_attempts"] == []
        assert waiting["timeline"][0]["detail"] == "by anna"
        assert waiting["timeline"][-1]["detail"] == "s3_unavailable: no answer"
        assert running["timeline"][-1] == {
            **running["timeline"][-1],
            "what": "lease expires",
            "is_future": True,
        }
        assert (running["queue"], running["attempts"]) == ("results", 2)

    def test_runs_and_transfers_come_in_pages(self, client: Client, world: World) -> None:
        # Given
        world.add_job(12, 1, 2, 3)
        for kind in ("job_config", "job_input"):
            world.rows._next_id = 12
            world.rows.add(TransferState.DONE, kind=kind, finished_at=MINUTE)
        # When
        first = client.answer("/jobs/12", limit=2)
        second = client.answer("/jobs/12", limit=2, after_run=first["next_run"])
        older = client.answer("/jobs/12", limit=1)
        # Then
        assert [run["run_id"] for run in first["runs"] + second["runs"]] == [1, 2, 3]
        assert (second["next_run"], first["next_transfer"]) == (None, None)
        last = client.answer("/jobs/12", limit=1, before_transfer=older["next_transfer"])
        assert [each["kind"] for each in older["transfers"] + last["transfers"]] == [
            "job_input",
            "job_config",
        ]

    def test_what_was_deleted_and_what_is_held_is_marked(
        self, client: Client, world: World
    ) -> None:
        # Given
        world.add_job(12)
        world.rows._next_id = 12
        world.rows.add(TransferState.DONE, finished_at=MINUTE)
        directory = "jobs/12/2025/10/23/211500/"
        sql = world.sources.adapters
        sql.tombstones.lay(
            [DeletionScope(job_id=12, directory=directory)],
            deleted_by="anna",
            reason=None,
            all_versions=False,
        )
        SqlLegalHolds(world.engine).set(12, "bert", "a claim")
        # When
        job = client.answer("/jobs/12")
        # Then
        assert [each["state"] for each in job["artifacts"]] == ["deleted"]
        assert (job["hold"]["held_by"], job["hold"]["reason"]) == ("bert", "a claim")

    def test_of_an_earlier_job_with_the_id_nothing_is_shown(
        self, client: Client, world: World
    ) -> None:
        # Given a job that was created after the transfer
        world.add_job(12, created_at=world.rows.now)
        world.rows._next_id = 12
        world.rows.add(
            TransferState.DONE, requested_at=timedelta(days=30), finished_at=timedelta(days=30)
        )
        # When
        job = client.answer("/jobs/12")
        # Then
        assert (job["transfers"], job["earlier_transfers"]) == ([], 1)

    def test_one_that_does_not_exist(self, client: Client) -> None:
        response = client.get("/jobs/12")
        assert (response.status_code, response.headers["content-type"]) == (
            404,
            "application/problem+json",
        )
        assert response.json() == {
            "type": "about:blank",
            "title": "Not Found",
            "status": 404,
            "detail": "there is no job 12",
            "code": "unknown_job",
        }

    @pytest.mark.parametrize("job_id", ["0", "x", "99999999999", "12%00", "../12"])
    def test_what_is_no_id_is_refused(self, client: Client, job_id: str) -> None:
        assert client.get(f"/jobs/{job_id}").status_code in {404, 422}

    def test_the_number_of_statements_does_not_grow(self, client: Client, world: World) -> None:
        counts = []
        for job_id, runs in ((12, 1), (13, 60)):
            first = job_id * 1_000
            world.add_job(job_id, *range(first, first + runs))
            world.put(Artifact(ArtifactKind.RUN_LOGS, job_id, first), b"log")
            statements = Statements(world.sources.engine)
            client.answer(f"/jobs/{job_id}")
            counts.append(len(statements.seen))
        assert counts[0] == counts[1] <= 9

    def test_its_history_has_what_was_done(self, client: Client, world: World) -> None:
        # Given
        world.add_job(12)
        trail = SqlAuditTrail(world.engine)
        trail.begin(NewAction(name="hold set", actor="anna", reason="a claim", job_id=12))
        world.rows._next_id = 12
        world.rows.add(TransferState.DONE, finished_at=MINUTE)
        # When
        history = client.answer("/jobs/12/history", limit=1)
        # Then
        [entry] = history["entries"]
        assert (entry["what"], entry["by"], history["is_cut"]) == ("hold set", "anna", True)
