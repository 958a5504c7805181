"""Snapshots: the members of a batch, frozen before anything is asked for."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    case,
    delete,
    func,
    insert,
    select,
    text,
    update,
)

from artifact_pipeline.domain.errors import NotFoundError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.batches import (
    BatchFilter,
    BatchState,
    Listed,
    Member,
    Preview,
    PreviewGroup,
    SkipReason,
)
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.parts import smallest_part_size
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.worker.sql.batches.candidates import NEVER_REQUESTED
from artifact_pipeline.worker.sql.batches.freezing import freezing
from artifact_pipeline.worker.sql.batches.mapping import as_batch, as_member
from artifact_pipeline.worker.sql.clock import utc_now
from artifact_pipeline.worker.sql.engine import autocommit, transaction
from artifact_pipeline.worker.sql.mapping import artifact_of
from artifact_pipeline.worker.sql.named_artifacts import count_unmatched, forget_listed, keep_listed
from artifact_pipeline.worker.sql.tables import BatchRow, MemberRow

HasSource = Callable[[Artifact], bool]
_PAGE = 5_000
_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Parts:
    """How workers cut objects, in bytes; used to estimate S3 requests."""

    multipart_threshold: int
    part_size: int


DEFAULT_PARTS = Parts(16 * 2**20, 16 * 2**20)


class SqlBatchSnapshots:
    """Snapshots in SQL.

    Args:
        engine: of the database.
        parts: how workers cut objects.
        workspace: the name of the one in which `has_source` looks, and in which members that were
            never requested are transferred.
    """

    def __init__(self, engine: Engine, parts: Parts, workspace: str | None = None) -> None:
        self._engine = engine
        self._parts = parts
        self._workspace = workspace

    def freeze(
        self,
        filters: BatchFilter,
        *,
        requested_by: str,
        expires_in: timedelta,
        listed: Iterable[Listed] | None = None,
        has_source: HasSource | None = None,
    ) -> int:
        """Keep the members as they are now, and change nothing else; the snapshot's id.

        Args:
            filters: the filter.
            requested_by: who asks.
            expires_in: how long it can be started.
            listed: what a file names; the members are among it.
            has_source: whether an artifact is there to be uploaded; by default it is believed.
        """
        with transaction(self._engine) as connection:
            _take_time(connection)
            if listed is not None:
                filters = filters.model_copy(update={"listed": keep_listed(connection, listed)})
            batch_id = _insert_batch(connection, filters, requested_by, expires_in)
            dialect = connection.dialect.name
            connection.execute(freezing(batch_id, filters, dialect, self._workspace))
            if listed is not None:
                unmatched = count_unmatched(connection, batch_id)
                _keep_filter(connection, batch_id, filters, unmatched)
                forget_listed(connection)
            if has_source is not None:
                _leave_out(connection, batch_id, has_source, self._workspace)
        return batch_id

    def preview(self, batch_id: int) -> Preview:
        """Return what the snapshot has frozen. Raises: NotFoundError."""
        with autocommit(self._engine) as connection:
            row = connection.execute(select(BatchRow.__table__).where(BatchRow.id == batch_id))
            batch = row.one_or_none()
            if batch is None:
                raise NotFoundError(f"there is no batch {batch_id}")
            return Preview(
                batch=as_batch(batch),
                groups=self._groups(connection, batch_id),
                left_out=_skip_reason(connection, batch_id),
                examples=_examples(connection, batch_id),
            )

    def delete(self, batch_id: int) -> None:
        """Remove a snapshot that cannot be started."""
        _delete(self._engine, batch_id)

    def _groups(self, connection: Connection, batch_id: int) -> list[PreviewGroup]:
        size, is_upload = MemberRow.size, MemberRow.direction == Direction.UPLOAD
        wanted, threshold = self._parts.part_size, self._parts.multipart_threshold
        part_sizes = {kind.value: smallest_part_size(kind, wanted) for kind in ArtifactKind}
        part_size = case(part_sizes, value=MemberRow.kind)
        parts = (size + (part_size - 1)) // part_size
        sent = case((size >= threshold, parts + 2), else_=1)
        fetched = case((size > part_size, parts), else_=1)
        at_least = case((is_upload, 1), else_=0)  # a HEAD; a file that is there already costs none
        asked = (MemberRow.direction, MemberRow.kind, MemberRow.state)
        groups = (
            select(
                *asked,
                func.count().label("members"),
                func.count(size).label("stored"),
                func.coalesce(func.sum(size), 0).label("known_bytes"),
                func.sum(at_least).label("requests_at_least"),
                func.sum(case((is_upload, sent), else_=fetched)).label("requests_at_most"),
            )
            .where(MemberRow.batch_id == batch_id, MemberRow.left_out.is_(None))
            .group_by(*asked)
            .order_by(*asked)
        )
        return [_as_group(row) for row in connection.execute(groups)]


def delete_expired(engine: Engine) -> int:
    """Remove the snapshots that were not started in time, in pages. Return how many members."""
    expired = select(BatchRow.id).where(
        BatchRow.state == BatchState.PREVIEWED, BatchRow.expires_at <= utc_now()
    )
    with autocommit(engine) as connection:
        ids = connection.scalars(expired).all()
    return sum(_delete(engine, batch_id) for batch_id in ids)


def _delete(engine: Engine, batch_id: int) -> int:
    total = 0
    of_batch = MemberRow.batch_id == batch_id
    page = select(MemberRow.position).where(of_batch).order_by(MemberRow.position).limit(_PAGE)
    removal = delete(MemberRow).where(of_batch, MemberRow.position.in_(page))
    while True:
        with transaction(engine) as connection:
            removed = connection.execute(removal).rowcount
            if not removed:
                connection.execute(delete(BatchRow).where(BatchRow.id == batch_id))
                return total
        total += removed


def _take_time(connection: Connection) -> None:
    # A million members take longer than any other statement may.
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL statement_timeout = '15min'"))


def _insert_batch(
    connection: Connection, filters: BatchFilter, requested_by: str, expires_in: timedelta
) -> int:
    values: dict[str, Any] = {
        "requested_by": requested_by,
        "reason": "",
        "filter": filters.model_dump(mode="json", exclude_defaults=True),
        "state": BatchState.PREVIEWED,
        "requested_at": utc_now(),
        "expires_at": utc_now(expires_in),
    }
    made = insert(BatchRow).values(values).returning(BatchRow.id)
    return connection.execute(made).scalar_one()


def _keep_filter(
    connection: Connection, batch_id: int, filters: BatchFilter, unmatched: int
) -> None:
    filters = filters.model_copy(update={"unmatched": unmatched})
    mine = update(BatchRow).where(BatchRow.id == batch_id)
    connection.execute(mine.values(filter=filters.model_dump(mode="json", exclude_defaults=True)))


def _leave_out(
    connection: Connection, batch_id: int, has_source: HasSource, workspace: str | None
) -> None:
    """Leave out members of the workspace without a source. In pages, to bound memory."""
    uploads = (
        select(MemberRow.position, MemberRow.job_id, MemberRow.run_id, MemberRow.kind)
        .where(
            MemberRow.batch_id == batch_id,
            MemberRow.left_out.is_(None),
            MemberRow.direction == Direction.UPLOAD,
            # Only this host's workspace can be looked at here.
            MemberRow.workspace.is_not_distinct_from(workspace),
        )
        .order_by(MemberRow.position)
        .limit(_PAGE)
    )
    last = 0
    while page := connection.execute(uploads.where(MemberRow.position > last)).all():
        missing = [row.position for row in page if not has_source(artifact_of(row))]
        _mark(connection, batch_id, missing)
        last = page[-1].position


def _mark(connection: Connection, batch_id: int, positions: Sequence[int]) -> None:
    of_batch = update(MemberRow).where(MemberRow.batch_id == batch_id)
    if positions:
        marked = of_batch.where(MemberRow.position.in_(positions))
        connection.execute(marked.values(left_out=SkipReason.NO_SOURCE))


def _skip_reason(connection: Connection, batch_id: int) -> dict[SkipReason, int]:
    counts = (
        select(MemberRow.left_out, func.count())
        .where(MemberRow.batch_id == batch_id, MemberRow.left_out.is_not(None))
        .group_by(MemberRow.left_out)
    )
    return Counter({SkipReason(str(why)): count for why, count in connection.execute(counts)})


def _examples(connection: Connection, batch_id: int) -> list[Member]:
    first = (
        select(MemberRow.__table__)
        .where(MemberRow.batch_id == batch_id, MemberRow.left_out.is_(None))
        .order_by(MemberRow.position)
        .limit(_EXAMPLES)
    )
    return [as_member(row) for row in connection.execute(first)]


def _as_group(row: Any) -> PreviewGroup:  # noqa: ANN401 - a row
    return PreviewGroup(
        direction=Direction(row.direction),
        kind=ArtifactKind(row.kind),
        state=None if row.state == NEVER_REQUESTED else TransferState(row.state),
        members=row.members,
        stored=row.stored,
        known_bytes=int(row.known_bytes),
        requests_at_least=int(row.requests_at_least),
        requests_at_most=int(row.requests_at_most),
    )
