"""Snapshots of artifacts that were never requested, from the platform's jobs and runs."""

import tracemalloc
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import Engine, insert

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.batches import (
    BatchFilter,
    BatchMode,
    Listed,
    Member,
    SkipReason,
)
from artifact_pipeline.domain.model.kinds import JOB_KINDS, RUN_KINDS, ArtifactKind
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.selection import IdRange
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.domain.reasons import ReasonCode
from artifact_pipeline.worker.sql.artifacts import SqlArtifacts
from artifact_pipeline.worker.sql.platform_tables import JobRow, RunRow
from tests.sql.batch_steps import History, config_of, ids
from tests.sql.steps import CREATED_AT, Statements, stored_artifact

DAY = timedelta(days=1)
NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
CONFIGS = [ArtifactKind.JOB_CONFIG]


@pytest.fixture
def history(engine: Engine) -> History:
    return History(engine)


def artifacts_of(history: History, **which: Any) -> set[Artifact]:
    """The members of a batch of never-requested artifacts."""
    return {as_artifact(member) for member in members_of(history, **which)}


def members_of(history: History, **which: Any) -> list[Member]:
    shown = history.preview(**{"never_requested": True, **which})
    if not shown.members:
        return []
    return history.members(history.start(shown.batch.id).id)


def as_artifact(member: Member) -> Artifact:
    return Artifact(member.kind, member.job_id, member.run_id)


def store(history: History, artifact: Artifact) -> None:
    """Record it as stored, without a transfer."""
    row = stored_artifact(artifact, size=10)
    SqlArtifacts(history.engine).record(row, UploadLocation("https://b.s3.invalid/k"), None)


class TestMembers:
    def test_every_kind_of_a_job_and_of_each_run(self, history: History) -> None:
        history.job(1, [10, 11])
        history.job(2)
        members = members_of(history)
        assert {as_artifact(member) for member in members} == {
            *(Artifact(kind, job) for job in (1, 2) for kind in JOB_KINDS),
            *(Artifact(kind, 1, run) for run in (10, 11) for kind in RUN_KINDS),
        }
        assert {member.direction for member in members} == {Direction.UPLOAD}
        assert len(members) == 2 * len(JOB_KINDS) + 2 * len(RUN_KINDS)

    @pytest.mark.parametrize("state", list(TransferState))
    @pytest.mark.parametrize("direction", [Direction.UPLOAD, Direction.CONFIRM])
    def test_what_was_requested_in_any_way_is_none(
        self, history: History, state: TransferState, direction: Direction
    ) -> None:
        # Given one artifact whose upload was requested, of a worker or of a client
        history.job(1, [10, 11])
        requested = Artifact(ArtifactKind.RUN_CONFIG, 1, 10)
        history.transfer(requested, state, direction)
        # When
        found = artifacts_of(history, kinds=[ArtifactKind.RUN_CONFIG])
        # Then
        assert found == {Artifact(ArtifactKind.RUN_CONFIG, 1, 11)}

    def test_what_is_stored_is_one_only_if_it_is_asked_for(self, history: History) -> None:
        history.job(1)
        history.job(2)
        store(history, config_of(1))
        assert artifacts_of(history, kinds=CONFIGS) == {config_of(2)}
        shown = history.preview(never_requested=True, include_stored=True, kinds=CONFIGS)
        (group,) = shown.groups
        assert (group.members, group.stored, group.known_bytes) == (2, 1, 10)
        modes = {mode: shown.of_mode(mode) for mode in BatchMode}
        assert modes == {BatchMode.FAILED: 0, BatchMode.MISSING: 1, BatchMode.ALL: 2}

    def test_downloads_are_of_what_is_stored_too(self, history: History) -> None:
        # Given an artifact that is stored, and one that was downloaded before
        history.job(1)
        store(history, config_of(1))
        history.job(2)
        history.transfer(config_of(2), TransferState.DONE, Direction.DOWNLOAD)
        # When
        members = members_of(history, kinds=CONFIGS, directions=[Direction.DOWNLOAD])
        # Then
        assert [(as_artifact(each), each.direction) for each in members] == [
            (config_of(1), Direction.DOWNLOAD)
        ]

    def test_what_the_workspace_has_not_is_left_out(self, history: History) -> None:
        history.job(1)
        history.job(2)
        history.has_source = lambda artifact: artifact == config_of(2)
        shown = history.preview(never_requested=True, kinds=CONFIGS)
        assert (ids(shown.examples), shown.left_out) == ([2], {SkipReason.NO_SOURCE: 1})

    def test_they_are_transferred_in_the_workspace_of_the_one_who_asks(
        self, history: History, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given a host whose own workspace lacks one of two files
        history.job(1)
        history.job(2)
        monkeypatch.setenv("ARTIFACTS_WORKSPACE_NAME", "host-a")
        history.has_source = lambda artifact: artifact == config_of(2)
        # When its backfill is previewed, and started
        shown = history.preview(never_requested=True, kinds=CONFIGS)
        released = history.release(history.start(shown.batch.id).id)
        # Then a worker that sees the tree is asked, and a name that is given comes first
        assert shown.left_out == {SkipReason.NO_SOURCE: 1}
        assert [each.workspace for each in released] == ["host-a"]
        history.workspace, history.has_source = "", None
        shown = history.preview(never_requested=True, kinds=CONFIGS)
        [other] = history.release(history.start(shown.batch.id).id)
        assert (other.artifact, other.workspace) == (config_of(1), None)

    def test_users_take_turns(self, history: History) -> None:
        for job_id, user_id in ((1, 7), (2, 7), (3, 7), (4, 8)):
            history.job(job_id, user_id=user_id)
        assert ids(members_of(history, kinds=CONFIGS)) == [1, 4, 2, 3]

    def test_they_have_no_last_state(self, history: History) -> None:
        history.job(1)
        (group,) = history.preview(never_requested=True, kinds=CONFIGS).groups
        assert (group.state, group.stored) == (None, 0)


class TestFilter:
    @pytest.fixture(autouse=True)
    def _jobs(self, history: History) -> None:
        history.job(1, [10], tags=["urgent"], created_at=NOON - DAY)
        history.job(2, [20, 21], tags={"team": "blue"}, created_at=NOON)
        history.job(3, user_id=8, created_at=NOON + DAY)

    @pytest.mark.parametrize(
        ("which", "jobs"),
        [
            ({"kinds": CONFIGS}, [1, 2, 3]),
            ({"job_ids": [IdRange(first=2, last=9)], "kinds": CONFIGS}, [2, 3]),
            ({"run_ids": [IdRange(first=20, last=21)], "kinds": [ArtifactKind.RUN_LOGS]}, [2, 2]),
            ({"run_ids": [IdRange(first=10, last=10)]}, [1] * len(RUN_KINDS)),
            ({"run_ids": [IdRange(first=10, last=10)], "kinds": CONFIGS}, []),
            ({"user_ids": [8]}, [3, 3]),
            ({"tags": ["urgent"], "kinds": CONFIGS}, [1]),
            ({"tags": ["team=blue"], "kinds": CONFIGS}, [2]),
            ({"created_after": NOON, "kinds": CONFIGS}, [2, 3]),
            ({"created_before": NOON, "kinds": CONFIGS}, [1]),
        ],
    )
    def test_each_criterion_of_jobs_holds(
        self, history: History, which: dict[str, Any], jobs: list[int]
    ) -> None:
        assert sorted(ids(members_of(history, **which))) == jobs

    @pytest.mark.parametrize(
        ("criterion", "name"),
        [
            ({"states": [TransferState.DONE]}, "states"),
            ({"reasons": [ReasonCode.SOURCE_MISSING]}, "reasons"),
            ({"failed_after": NOON, "failed_before": NOON}, "failed_after, failed_before"),
        ],
    )
    def test_criteria_of_a_last_transfer_are_refused(
        self, criterion: dict[str, Any], name: str
    ) -> None:
        said = f"{name}: what was never requested has no last transfer"
        with pytest.raises(ValidationError, match=said):
            BatchFilter(never_requested=True, **criterion)

    def test_what_is_stored_is_included_only_beside_it(self) -> None:
        with pytest.raises(ValidationError, match="include_stored is only for never_requested"):
            BatchFilter(include_stored=True)


class TestListed:
    @pytest.fixture(autouse=True)
    def _jobs(self, history: History) -> None:
        """Job 1 has a failed config, and job 2 was never requested."""
        history.job(1, [10])
        history.transfer(config_of(1))
        history.job(2, [20])

    def test_lines_of_jobs_and_runs_are_all_that_was_never_requested(
        self, history: History
    ) -> None:
        shown = history.preview(listed=[Listed(1), Listed(2, 20), Listed(3)], never_requested=True)
        # The input and all of the run, and all of the other run.
        expected = len(JOB_KINDS) - 1 + 2 * len(RUN_KINDS)
        assert (shown.members, shown.batch.filter.unmatched) == (expected, 1)

    def test_one_file_may_name_what_was_requested_and_what_was_not(self, history: History) -> None:
        lines = [
            Listed(1, None, ArtifactKind.JOB_CONFIG),
            Listed(2, None, ArtifactKind.JOB_CONFIG),
            Listed(2, 20, ArtifactKind.RUN_RESULTS),
        ]
        shown = history.preview(listed=lines)
        assert {group.state for group in shown.groups} == {TransferState.QUARANTINED, None}
        assert (ids(shown.examples), shown.batch.filter.unmatched) == ([1, 2, 2], 0)

    def test_a_line_without_a_run_names_the_kind_of_every_run(self, history: History) -> None:
        history.job(3, [30, 31])
        shown = history.preview(listed=[Listed(3, None, ArtifactKind.RUN_LOGS)])
        assert [each.run_id for each in shown.examples] == [30, 31]

    def test_a_line_names_what_is_stored_too(self, history: History) -> None:
        store(history, config_of(2))
        shown = history.preview(listed=[Listed(2, None, ArtifactKind.JOB_CONFIG)])
        assert (ids(shown.examples), shown.of_mode(BatchMode.MISSING)) == ([2], 0)

    def test_a_criterion_of_the_last_transfer_leaves_only_what_was_requested(
        self, history: History
    ) -> None:
        lines = [Listed(job_id, None, ArtifactKind.JOB_CONFIG) for job_id in (1, 2)]
        shown = history.preview(listed=lines, states=[TransferState.QUARANTINED])
        assert (ids(shown.examples), shown.batch.filter.unmatched) == ([1], 1)


def test_ten_thousand_old_jobs_are_one_statement(history: History, engine: Engine) -> None:
    # Given a platform that was there long before the pipeline
    jobs = [
        {"id": id_, "user_id": id_ % 3 + 1, "status": "COMPLETED", "created_at": CREATED_AT}
        for id_ in range(1, 10_001)
    ]
    runs = [
        {"id": job["id"], "job_id": job["id"], "user_deleted": 0, **of_the_job(job)} for job in jobs
    ]
    with engine.begin() as connection:
        connection.execute(insert(JobRow), jobs)
        connection.execute(insert(RunRow), runs)
    # When
    statements, kinds = Statements(engine), [ArtifactKind.JOB_CONFIG, ArtifactKind.RUN_RESULTS]
    history.preview(
        never_requested=True, kinds=kinds, user_ids=[1], run_ids=[IdRange(first=1, last=9)]
    )
    few = len(statements.seen)
    tracemalloc.start()
    shown = history.preview(never_requested=True, kinds=kinds)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Then one INSERT makes the batch and one all of its members, as for a few
    assert shown.members == 20_000
    assert statements.seen.count("INSERT") == 2 * 2
    assert len(statements.seen) == 2 * few
    # And no member came to this process
    assert peak < 2 * 2**20


def of_the_job(job: dict[str, Any]) -> dict[str, Any]:
    return {"user_id": job["user_id"], "status": "DONE", "created_at": job["created_at"]}
