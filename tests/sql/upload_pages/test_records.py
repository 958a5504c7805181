"""Pages of uploads in SQL: how many statements, which locks in which order, and what undoes one."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, text, update

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.worker.sql.artifacts import SqlArtifacts
from artifact_pipeline.worker.sql.clock import utc_now
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.platform_tables import JobRow, RunRow
from artifact_pipeline.worker.sql.tables import BatchRow, TransferRow
from artifact_pipeline.worker.sql.transfers.upload_pages import SqlUploadPages
from tests.databases import grant_needed, role
from tests.sql.steps import (
    CONFIG,
    CREATED_AT,
    HOUR,
    LOCATION,
    UPLOAD,
    Statements,
    job_row,
)
from tests.sql.steps import (
    insert as insert_rows,
)
from tests.sql.upload_pages.steps import (
    RESULTS,
    RUN_CONFIGS,
    RUNS,
    SMALL,
    Pages,
    config_location,
    lock,
    upload_of,
    uploads_of,
)


class TestStatements:
    def test_a_claim_and_a_record_are_one_statement_each(self, world: Pages) -> None:
        # Given
        for artifact in (CONFIG, *RUN_CONFIGS):
            world.transfers.request(artifact, UPLOAD, str(artifact))
        statements = Statements(world.engine)
        # When
        page = world.pages.claim(
            CONFIG, str(CONFIG), kinds=SMALL, limit=100, owner="host:1:2", lease=HOUR
        )
        recorded = world.pages.record(uploads_of([upload.claim for upload in page]))
        # Then
        assert (len(page), len(recorded)) == (4, 4)
        assert statements.seen == ["WITH", "WITH"]

    def test_the_platform_is_told_as_by_a_record_alone(self, world: Pages) -> None:
        # Given an upload alone, and a page with another run's
        world.transfers.request(RESULTS[0], UPLOAD, "alone")
        alone = world.transfers.claim(RESULTS[0], UPLOAD, "alone", owner="w", lease=HOUR)
        assert alone is not None
        upload = upload_of(alone)
        claims = world.claimed(RESULTS[1], RUN_CONFIGS[1], RUN_CONFIGS[2])
        # When
        world.transfers.record(alone, upload.stored, LOCATION)
        world.pages.record(uploads_of(claims))
        # Then
        with world.other.connect() as connection:
            rows = {row.id: row for row in connection.execute(select(RunRow.__table__))}
        columns = ("status", "results_url", "results_uploaded_at")
        first, second, third = (
            tuple(getattr(rows[run_id], name) for name in columns) for run_id in RUNS
        )
        assert first == second == ("DONE", LOCATION.url, upload.stored.stored_at)
        assert third == ("RUNNING", None, None)
        urls = [rows[run_id].config_url for run_id in RUNS]
        assert urls == [None, LOCATION.url, LOCATION.url]
        assert all(rows[run_id].updated_at is not None for run_id in RUNS)

    def test_a_role_with_the_needed_grants_claims_and_records_a_page(
        self, fresh_postgres_url: str
    ) -> None:
        with role(fresh_postgres_url) as url:
            # Given
            owner = Pages(fresh_postgres_url)
            grant_needed(owner.other, make_engine(url).url.username or "")
            limited = make_engine(url)
            owner.pages = SqlUploadPages(limited)
            # When
            claims = owner.claimed(CONFIG, RUN_CONFIGS[0], RESULTS[0])
            owner.pages.renew(claims)
            recorded = owner.pages.record(uploads_of(claims))
            # Then
            assert len(recorded) == 3
            limited.dispose()
            owner.close()


class TestMembers:
    def test_members_of_batches_are_left_out(self, either: Pages) -> None:
        # Given
        batch = {"id": 1, "requested_by": "a", "reason": "b", "filter": {}, "state": "started"}
        for artifact in (CONFIG, RUN_CONFIGS[0]):
            either.transfers.request(artifact, UPLOAD, str(artifact))
        with either.other.begin() as connection:
            connection.execute(insert(BatchRow).values(**batch, requested_at=utc_now()))
            of_run = update(TransferRow).where(TransferRow.run_id == 4)
            connection.execute(of_run.values(batch_id=1))
        # Then
        assert either.page_of(RUN_CONFIGS[0]) == []
        assert either.page_of(CONFIG) == [CONFIG]
        assert either.claimed() == []

    def test_what_is_not_due_yet_is_left_out(self, either: Pages) -> None:
        # Given
        for artifact in (CONFIG, *RUN_CONFIGS):
            either.transfers.request(artifact, UPLOAD, str(artifact))
        with either.other.begin() as connection:
            of_runs = update(TransferRow).where(TransferRow.run_id.is_not(None))
            connection.execute(of_runs.values(next_attempt_at=utc_now(HOUR)))
        # Then
        assert either.page_of(RUN_CONFIGS[0]) == []
        assert either.page_of(CONFIG) == [CONFIG]

    def test_a_claim_passes_over_what_another_transaction_holds(self, world: Pages) -> None:
        # Given a row that another transaction has locked
        for artifact in (CONFIG, *RUN_CONFIGS):
            world.transfers.request(artifact, UPLOAD, str(artifact))
        held = world.transfers.latest(RUN_CONFIGS[0], UPLOAD)
        assert held is not None
        with world.engine.connect() as connection:
            # A claim that waits must fail here, and not wait for ever.
            connection.exec_driver_sql("SET lock_timeout = '2s'")
            connection.commit()
        with world.other.begin() as connection:
            lock(connection, TransferRow, held.id)
            # Then nothing waits for it
            assert world.page_of(RUN_CONFIGS[0]) == []
            assert world.page_of(CONFIG) == [CONFIG, *RUN_CONFIGS[1:]]

    def test_one_worker_leaves_the_rest_to_others(self, world: Pages) -> None:
        for artifact in (*RUN_CONFIGS, CONFIG):
            world.transfers.request(artifact, UPLOAD, str(artifact))
        # When two workers claim pages of two, then what is due longest comes first
        assert world.page_of(CONFIG, limit=2) == [CONFIG, RUN_CONFIGS[0]]
        assert world.page_of(RUN_CONFIGS[2], limit=2) == [RUN_CONFIGS[2], RUN_CONFIGS[1]]


class TestOnlyOneFails:
    def test_a_job_that_was_replaced_is_left_out(self, either: Pages) -> None:
        # Given a page with uploads of two jobs, of which one's id is used again
        insert_rows(either.other, job_row(13))
        other = Artifact(ArtifactKind.JOB_CONFIG, 13)
        claims = either.claimed(CONFIG)
        either.transfers.request(other, UPLOAD, "b")
        (page,) = either.pages.claim_of_job(
            13, kinds=list(ArtifactKind), limit=9, owner="host:1:2", lease=HOUR
        )
        with either.other.begin() as connection:
            later = {"created_at": CREATED_AT + timedelta(seconds=1)}
            connection.execute(update(JobRow).where(JobRow.id == 12).values(later))
        # When
        recorded = either.pages.record(uploads_of([*claims, page.claim]))
        # Then
        assert recorded == {page.claim.transfer_id}
        assert SqlArtifacts(either.other).find(CONFIG) is None
        assert either.state_of(CONFIG) is TransferState.RUNNING
        assert either.state_of(other) is TransferState.DONE
        assert config_location(either, 12) is None

    @pytest.mark.parametrize("kind", [ArtifactKind.RUN_CONFIG, ArtifactKind.RUN_LOGS])
    def test_a_run_of_another_job_is_left_out(self, either: Pages, kind: ArtifactKind) -> None:
        # Given
        claims = either.claimed(Artifact(kind, 12, 4), Artifact(kind, 12, 5))
        insert_rows(either.other, job_row(13))
        with either.other.begin() as connection:
            connection.execute(update(RunRow).where(RunRow.id == 4).values(job_id=13))
        # When
        recorded = either.pages.record(uploads_of(claims))
        # Then
        assert recorded == {claims[1].transfer_id}
        assert SqlArtifacts(either.other).find(claims[0].artifact) is None

    def test_logs_of_a_job_that_was_replaced_are_left_out(self, either: Pages) -> None:
        # Given artifacts that no row of the platform names
        claims = either.claimed(*(Artifact(ArtifactKind.RUN_LOGS, 12, run) for run in RUNS))
        with either.other.begin() as connection:
            later = {"created_at": CREATED_AT + timedelta(seconds=1)}
            connection.execute(update(JobRow).where(JobRow.id == 12).values(later))
        # Then
        assert either.pages.record(uploads_of(claims)) == set()
        assert SqlArtifacts(either.other).of_job(12) == []

    def test_a_job_that_is_gone_is_recorded_as_before(self, either: Pages) -> None:
        claims = either.claimed(CONFIG, RUN_CONFIGS[0])
        with either.other.begin() as connection:
            connection.execute(text("DELETE FROM runs"))
            connection.execute(text("DELETE FROM jobs"))
        assert len(either.pages.record(uploads_of(claims))) == 2

    @pytest.mark.parametrize(
        "bad",
        [{"version": "x" * 300}, {"version": "\0"}, {"size": 2**70}, {"key": "\ud800"}],
        ids=str,
    )
    def test_a_value_that_does_not_fit_spoils_no_other(
        self, world: Pages, bad: dict[str, Any]
    ) -> None:
        # Given
        claims = world.claimed(CONFIG, *RUN_CONFIGS[:2])
        uploads = [upload_of(claims[0]), upload_of(claims[1], **bad), upload_of(claims[2])]
        # When
        recorded = world.pages.record(uploads)
        # Then
        assert recorded == {claims[0].transfer_id, claims[2].transfer_id}
        assert world.state_of(RUN_CONFIGS[0]) is TransferState.RUNNING
        assert SqlArtifacts(world.other).find(RUN_CONFIGS[0]) is None
        assert SqlArtifacts(world.other).find(RUN_CONFIGS[1]) is not None
