"""What the tests of pages in SQL are written with."""

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, select

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.keys import JobS3Prefix
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Claim, TransferState
from artifact_pipeline.domain.ports.transfer_pages import ClaimedUpload, StoredUpload
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.platform_tables import JobRow, RunRow
from artifact_pipeline.worker.sql.tables import TransferRow
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from artifact_pipeline.worker.sql.transfers.upload_pages import SqlUploadPages
from tests.sql.steps import (
    CREATED_AT,
    HOUR,
    LOCATION,
    UPLOAD,
    job_row,
    run_row,
    sessions_waiting_for_a_lock,
    stored_artifact,
)
from tests.sql.steps import (
    insert as insert_rows,
)

RUNS = (4, 5, 6)


RUN_CONFIGS = [Artifact(ArtifactKind.RUN_CONFIG, 12, run_id) for run_id in RUNS]


RESULTS = [Artifact(ArtifactKind.RUN_RESULTS, 12, run_id) for run_id in RUNS]


SMALL = (ArtifactKind.JOB_CONFIG, ArtifactKind.RUN_CONFIG)


AT_ONCE = timedelta(0)


class Pages:
    """Job 12 with its runs, and uploads of it.

    Attributes:
        pages: what is tested, on an engine of its own.
        other: another program's engine.
    """

    def __init__(self, url: str) -> None:
        self.engine, self.other = make_engine(url), make_engine(url)
        self.pages = SqlUploadPages(self.engine)
        self.transfers = SqlTransfers(self.other)
        insert_rows(self.other, job_row(), *(run_row(run_id) for run_id in RUNS))

    def claimed(self, *artifacts: Artifact) -> list[Claim]:
        """Request uploads and claim them as a page, in this order."""
        for artifact in artifacts:
            self.transfers.request(artifact, UPLOAD, str(artifact))
        page: list[ClaimedUpload] = []
        while more := self.pages.claim_of_job(
            12, kinds=list(ArtifactKind), limit=100, owner="host:1:2", lease=HOUR
        ):
            page += more
        assert [upload.claim.artifact for upload in page] == list(artifacts)
        return [upload.claim for upload in page]

    def page_of(self, asked: Artifact, limit: int = 100) -> list[Artifact]:
        page = self.pages.claim(
            asked, str(asked), kinds=SMALL, limit=limit, owner="host:1:2", lease=HOUR
        )
        return [upload.claim.artifact for upload in page]

    def state_of(self, artifact: Artifact) -> TransferState:
        transfer = self.transfers.latest(artifact, UPLOAD)
        assert transfer is not None
        return transfer.state

    def wait_for_a_lock(self, sessions: int = 1) -> None:
        deadline = time.monotonic() + 30
        while sessions_waiting_for_a_lock(self.other) < sessions:
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def close(self) -> None:
        self.engine.dispose()
        self.other.dispose()


def upload_of(claim: Claim, **changes: Any) -> StoredUpload:
    key = JobS3Prefix(claim.artifact.job_id, CREATED_AT).key(claim.artifact)
    stored = stored_artifact(claim.artifact, **{"key": key, **changes})
    return StoredUpload(claim=claim, stored=stored, location=LOCATION)


def uploads_of(claims: Sequence[Claim]) -> list[StoredUpload]:
    return [upload_of(claim) for claim in claims]


def lock(connection: Connection, table: type[JobRow | RunRow | TransferRow], row_id: int) -> None:
    connection.execute(select(table.id).where(table.id == row_id).with_for_update(nowait=True))


def config_location(world: Pages, job_id: int) -> str | None:
    with world.other.connect() as connection:
        return connection.scalar(select(JobRow.config_location).where(JobRow.id == job_id))
