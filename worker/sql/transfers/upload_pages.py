"""Uploads whose first attempt is due, several at a time: `IUploadPages` in SQL."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, and_, tuple_, update
from sqlalchemy.exc import DataError, IntegrityError

from artifact_pipeline.domain.errors import LeaseLostError, PermanentError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Claim, Transfer, TransferState
from artifact_pipeline.domain.ports.transfer_pages import ClaimedUpload, StoredUpload
from artifact_pipeline.worker.sql.clock import utc_now
from artifact_pipeline.worker.sql.engine import autocommit, repeated_transaction, transaction
from artifact_pipeline.worker.sql.mapping import as_transfer
from artifact_pipeline.worker.sql.tables import TransferRow
from artifact_pipeline.worker.sql.transfers.event_log import NO_EVENTS, EventLog
from artifact_pipeline.worker.sql.transfers.page_claims import (
    claim_page,
    claim_page_of_job,
    settled_state,
)
from artifact_pipeline.worker.sql.transfers.page_records import record_page
from artifact_pipeline.worker.sql.transfers.predicates import in_order
from artifact_pipeline.worker.sql.transfers.records import record_stored
from artifact_pipeline.worker.sql.transfers.state_values import released_values

_REFUSED = (LeaseLostError, PermanentError, DataError, IntegrityError, UnicodeError)
"""What one upload can meet that says nothing about the others."""


class SqlUploadPages:
    """Claims, renews and records several uploads with one statement each.

    SQLite claims one at a time, since it cannot skip the rows that another transaction holds.

    Args:
        engine: of the database.
        events: writes the events of what is recorded here.
        workspace: the name of the only one whose uploads are claimed.
    """

    def __init__(
        self, engine: Engine, events: EventLog = NO_EVENTS, *, workspace: str | None = None
    ) -> None:
        self._engine = engine
        self._events = events
        self._workspace = workspace

    def claim(  # noqa: PLR0913 - whose message it is, and the limits of the page
        self,
        artifact: Artifact,
        request_id: str,
        *,
        kinds: Collection[ArtifactKind],
        limit: int,
        owner: str,
        lease: timedelta,
    ) -> list[ClaimedUpload]:
        asked = _asked(artifact, request_id)
        page = {"kinds": sorted(kinds), "limit": limit, "owner": owner, "lease": lease}
        with self._claiming() as connection:
            return claim_page(connection, {**asked, **page}, self._workspace)

    def settled(self, artifact: Artifact, request_id: str) -> TransferState | None:
        with autocommit(self._engine) as connection:
            return settled_state(connection, _asked(artifact, request_id))

    def claim_of_job(
        self,
        job_id: int,
        *,
        kinds: Collection[ArtifactKind],
        limit: int,
        owner: str,
        lease: timedelta,
    ) -> list[ClaimedUpload]:
        page = {"kinds": sorted(kinds), "limit": limit, "owner": owner, "lease": lease}
        page |= {"asked_job": job_id}
        with self._claiming() as connection:
            return claim_page_of_job(connection, page, self._workspace)

    def _claiming(self) -> AbstractContextManager[Connection]:
        # PostgreSQL claims in one statement that waits for no lock. If it waited, the server could
        # claim the page after its worker was killed.
        is_one_statement = self._engine.dialect.name == "postgresql"
        return autocommit(self._engine) if is_one_statement else transaction(self._engine)

    def record(self, uploads: Sequence[StoredUpload]) -> set[int]:
        if not uploads:
            return set()
        if self._engine.dialect.name != "postgresql":
            return self._record_in_sqlite(uploads)
        try:
            return self._record_together(uploads)
        except (DataError, IntegrityError, UnicodeError):
            # One upload was cancelled or taken over just now, or has a value that does not fit.
            return {upload.claim.transfer_id for upload in uploads if self._record_alone(upload)}

    def _record_together(self, uploads: Sequence[StoredUpload]) -> set[int]:
        recorded: set[int] = set()
        for attempt in repeated_transaction(self._engine, autocommit):
            with attempt as connection:
                recorded = record_page(connection, uploads, self._events.targets)
        return recorded

    def _record_alone(self, upload: StoredUpload) -> bool:
        # Use a separate transaction: one over several would hold locks on transfers while it waits
        # for rows of the platform, and could deadlock with a producer.
        try:
            for attempt in repeated_transaction(self._engine):
                with attempt as connection:
                    self._record(connection, upload)
        except _REFUSED:
            return False
        return True

    def _record_in_sqlite(self, uploads: Sequence[StoredUpload]) -> set[int]:
        with transaction(self._engine) as connection:
            return {
                upload.claim.transfer_id
                for upload in uploads
                if self._is_recorded(connection, upload, connection.begin_nested())
            }

    def _is_recorded(
        self,
        connection: Connection,
        upload: StoredUpload,
        savepoint: AbstractContextManager[object],
    ) -> bool:
        try:
            with savepoint:
                self._record(connection, upload)
        except _REFUSED:
            return False
        return True

    def _record(self, connection: Connection, upload: StoredUpload) -> None:
        record_stored(connection, upload.claim, upload.stored, upload.location, self._events)

    def renew(self, claims: Collection[Claim]) -> set[int]:
        renewed: set[int] = set()
        with autocommit(self._engine) as connection:
            for lease, held in _by_lease(claims):
                renewal = update(TransferRow).where(in_order(_holds(held)))
                renewal = renewal.values(lease_expires_at=utc_now(lease))
                renewed |= set(connection.scalars(renewal.returning(TransferRow.id)))
        return renewed

    def release_leases(self, claims: Collection[Claim]) -> list[Transfer]:
        if not claims:
            return []
        held = update(TransferRow).where(in_order(_holds(claims)))
        ended = held.values(released_values()).returning(TransferRow.__table__)
        with autocommit(self._engine) as connection:
            transfers = [as_transfer(row) for row in connection.execute(ended)]
        return sorted(transfers, key=attrgetter("id"))


def _asked(artifact: Artifact, request_id: str) -> dict[str, Any]:
    return {
        "asked_request": request_id,
        "asked_job": artifact.job_id,
        "asked_run": artifact.run_id or 0,
        "asked_kind": artifact.kind.value,
    }


def _by_lease(claims: Iterable[Claim]) -> Iterator[tuple[timedelta, list[Claim]]]:
    lease_of = attrgetter("lease")
    for lease, held in groupby(sorted(claims, key=lease_of), lease_of):
        yield lease, list(held)


def _holds(claims: Collection[Claim]) -> ColumnElement[bool]:
    fences = [(claim.transfer_id, claim.fence) for claim in claims]
    return and_(
        TransferRow.id.in_([claim.transfer_id for claim in claims]),
        tuple_(TransferRow.id, TransferRow.fence).in_(fences),
        TransferRow.state == TransferState.RUNNING,
    )
