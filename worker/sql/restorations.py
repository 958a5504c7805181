"""What is recorded of restores: columns of the `artifacts` table."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine, func, select, update

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.objects import BucketObject
from artifact_pipeline.domain.model.restorations import Restoration
from artifact_pipeline.worker.sql.artifacts import is_of
from artifact_pipeline.worker.sql.clock import utc_now
from artifact_pipeline.worker.sql.engine import autocommit
from artifact_pipeline.worker.sql.mapping import artifact_of
from artifact_pipeline.worker.sql.tables import ArtifactRow


class SqlRestorations:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def of_job(self, job_id: int) -> Mapping[Artifact, Restoration]:
        asked = select(ArtifactRow.__table__).where(
            ArtifactRow.job_id == job_id, ArtifactRow.restore_requested_at.is_not(None)
        )
        with autocommit(self._engine) as connection:
            return {artifact_of(row): _restoration(row) for row in connection.execute(asked)}

    def record(self, artifact: Artifact, there: BucketObject, now: Restoration) -> bool:
        this = update(ArtifactRow).where(
            is_of(artifact),
            ArtifactRow.key == there.address.key,
            ArtifactRow.etag == there.version,
        )
        # If another program asked for the restore, this is the time of the first look.
        asked = func.coalesce(ArtifactRow.restore_requested_at, utc_now())
        values = {
            "restore_requested_at": asked if now.is_known else None,
            "restored_until": None if now.is_under_way else now.until,
        }
        with autocommit(self._engine) as connection:
            return bool(connection.execute(this.values(values)).rowcount)


def _restoration(row: Any) -> Restoration:  # noqa: ANN401 - a row
    return Restoration(is_under_way=row.restored_until is None, until=row.restored_until)
