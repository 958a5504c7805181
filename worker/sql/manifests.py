"""Which jobs' manifests must be written, and what they have: the `manifests` table."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    func,
    or_,
    select,
    update,
)

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.manifest import ManifestEntry
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.domain.ports.manifests import NotYet
from artifact_pipeline.worker.sql.artifacts import stored_artifact_of
from artifact_pipeline.worker.sql.clock import utc_now
from artifact_pipeline.worker.sql.engine import Bind, autocommit, insert_into, transaction
from artifact_pipeline.worker.sql.mapping import artifact_of
from artifact_pipeline.worker.sql.tables import (
    ARTIFACT_RUN,
    IS_UNLISTED,
    ArtifactRow,
    ManifestRow,
    TransferRow,
)

_TABLE = ArtifactRow.__table__


class SqlManifests:
    def __init__(self, bind: Bind) -> None:
        self._bind = bind

    def take_due(
        self, limit: int, *, settled_after: timedelta, ask_again_after: timedelta
    ) -> Sequence[int]:
        may_ask = _may_ask(ask_again_after)
        due = (
            select(ArtifactRow.job_id)
            .distinct()
            .outerjoin(ManifestRow, ManifestRow.job_id == ArtifactRow.job_id)
            .where(
                IS_UNLISTED,
                ArtifactRow.stored_at <= utc_now(-settled_after),
                or_(ManifestRow.job_id.is_(None), may_ask),
            )
            .order_by(ArtifactRow.job_id)
            .limit(limit)
        )
        with autocommit(self._bind) as connection:
            # A statement that reads only: most of the time nothing is due.
            job_ids = connection.scalars(due).all()
            return _ask(connection, job_ids, may_ask) if job_ids else []

    def begin(self, job_id: int, pause: timedelta) -> str | NotYet | None:
        with autocommit(self._bind) as connection:
            row = insert_into(connection.dialect.name, ManifestRow).values(
                job_id=job_id, not_before=utc_now(pause)
            )
            begun = row.on_conflict_do_update(
                index_elements=[ManifestRow.job_id],
                set_={"not_before": row.excluded.not_before, "asked_at": None},
                where=ManifestRow.not_before <= utc_now(),
            )
            found = connection.execute(begun.returning(ManifestRow.version)).one_or_none()
        return NotYet() if found is None else found.version

    def entries(self, job_id: int) -> Sequence[ManifestEntry]:
        # Selected as a number: SQLite has no type of its own for truth.
        rows = (
            select(_TABLE, IS_UNLISTED.label("is_unlisted"))
            .where(ArtifactRow.job_id == job_id)
            .order_by(ARTIFACT_RUN, ArtifactRow.kind)
        )
        with autocommit(self._bind) as connection:
            found = connection.execute(rows).all()
            requested = _requests(connection, job_id)
        return [
            ManifestEntry(
                stored=stored_artifact_of(row),
                requested_at=requested.get(artifact_of(row)),
                is_listed=not row.is_unlisted,
            )
            for row in found
        ]

    def finish(self, job_id: int, version: str | None, entries: Sequence[ManifestEntry]) -> None:
        manifest = update(ManifestRow).where(ManifestRow.job_id == job_id)
        changed = [_listed(entry) for entry in entries if not entry.is_listed]
        with transaction(self._bind) as connection:
            connection.execute(manifest.values(version=version))
            if changed:
                connection.execute(_LIST, changed)

    def postpone(self, job_id: int, pause: timedelta) -> None:
        manifest = update(ManifestRow).where(ManifestRow.job_id == job_id)
        with autocommit(self._bind) as connection:
            connection.execute(manifest.values(not_before=utc_now(pause)))


# Keep the order of the entries, as a page of uploads writes them: two transactions that lock rows
# in different orders could wait for each other.
_LIST = (
    update(ArtifactRow)
    .where(
        ArtifactRow.job_id == bindparam("of_job"),
        bindparam("of_run") == ARTIFACT_RUN,
        ArtifactRow.kind == bindparam("of_kind"),
        ArtifactRow.key == bindparam("known_key"),
        ArtifactRow.etag == bindparam("known_etag"),
        ArtifactRow.stored_at == bindparam("known_stored_at"),
    )
    .values(listed_at=ArtifactRow.stored_at)
)


def _listed(entry: ManifestEntry) -> dict[str, object]:
    artifact, there = entry.stored.artifact, entry.stored.object
    return {
        "of_job": artifact.job_id,
        "of_run": artifact.run_id or 0,
        "of_kind": artifact.kind.value,
        "known_key": there.key,
        "known_etag": there.version,
        "known_stored_at": entry.stored.stored_at,
    }


def _may_ask(ask_again_after: timedelta) -> ColumnElement[bool]:
    is_lost = ManifestRow.asked_at <= utc_now(-ask_again_after)
    return and_(ManifestRow.not_before <= utc_now(), or_(ManifestRow.asked_at.is_(None), is_lost))


def _ask(
    connection: Connection, job_ids: Sequence[int], may_ask: ColumnElement[bool]
) -> Sequence[int]:
    """Note that they are asked for; return those that no other dispatch has asked for."""
    now = {"not_before": utc_now(), "asked_at": utc_now()}
    rows = [{"job_id": job_id, **now} for job_id in job_ids]
    insert = insert_into(connection.dialect.name, ManifestRow).values(rows)
    asked = insert.on_conflict_do_update(
        index_elements=[ManifestRow.job_id],
        set_={"asked_at": insert.excluded.asked_at},
        where=may_ask,
    )
    return sorted(connection.scalars(asked.returning(ManifestRow.job_id)))


def _requests(connection: Connection, job_id: int) -> dict[Artifact, datetime]:
    """Return when the last upload of each artifact that ended well was requested."""
    requests = (
        select(
            TransferRow.job_id,
            TransferRow.run_id,
            TransferRow.kind,
            func.max(TransferRow.requested_at).label("requested_at"),
        )
        .where(
            TransferRow.job_id == job_id,
            TransferRow.state == TransferState.DONE,
            TransferRow.direction.in_((Direction.UPLOAD, Direction.CONFIRM)),
        )
        .group_by(TransferRow.job_id, TransferRow.run_id, TransferRow.kind)
    )
    return {artifact_of(row): row.requested_at for row in connection.execute(requests)}
