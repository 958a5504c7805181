"""Requesting all artifacts of a job in one statement."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Connection,
    Integer,
    Text,
    cast,
    func,
    literal,
    null,
    select,
    union_all,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.requester import request_id_prefix
from artifact_pipeline.domain.model.trace_context import current_trace
from artifact_pipeline.domain.model.transfers import Direction, Transfer, TransferState
from artifact_pipeline.worker.sql.engine import insert_into
from artifact_pipeline.worker.sql.mapping import as_transfer
from artifact_pipeline.worker.sql.platform_tables import RunRow
from artifact_pipeline.worker.sql.tables import TransferRow
from artifact_pipeline.worker.sql.transfers.insertion import first_values


class new_id(FunctionElement[str]):  # noqa: N801 - reads as the SQL function it is
    """A new id for each row: on PostgreSQL like those of `time_ordered_uuids`."""

    type = Text()
    inherit_cache = True


@compiles(new_id, "postgresql")
def _uuid(_element: new_id, _compiler: SQLCompiler, **_: Any) -> str:  # noqa: ANN401
    # PostgreSQL has uuidv7() since its version 18.
    digits = "lpad(to_hex(CAST(1000 * extract(epoch FROM now()) AS bigint)), 12, '0')"
    random = "substr(CAST(gen_random_uuid() AS text), 16)"
    return f"(left({digits}, 8) || '-' || right({digits}, 4) || '-7' || {random})"


@compiles(new_id, "sqlite")
def _hexadecimal(_element: new_id, _compiler: SQLCompiler, **_: Any) -> str:  # noqa: ANN401
    return "lower(hex(randomblob(16)))"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """A request for the artifacts of a job.

    Attributes:
        kinds: of the artifacts; one for each run of those that belong to runs.
        requested_by: as of `Transfer`.
        workspace: the same.
    """

    job_id: int
    kinds: Collection[ArtifactKind]
    direction: Direction
    requested_by: str | None
    workspace: str | None = None

    def insert(self, connection: Connection, state: TransferState) -> list[Transfer]:
        """Insert the transfers; leave out artifacts that have an active one."""
        if not self.kinds:
            return []
        artifacts = union_all(*map(self._artifacts, sorted(self.kinds))).subquery()
        values = {
            "request_id": literal(request_id_prefix(self.requested_by), Text) + new_id(),
            **{column.name: column for column in artifacts.c},
            "direction": literal(self.direction.value),
            "requested_by": literal(self.requested_by, Text),
            "state": literal(state.value),
            "trace_headers": literal(current_trace(), Text),
            "workspace": literal(self.workspace, Text),
            **first_values(),
        }
        # Keep the order of all inserts: in another order, two transactions could deadlock.
        rows = select(*values.values()).order_by(func.coalesce(artifacts.c.run_id, 0), "kind")
        insertion = (
            insert_into(connection.dialect.name, TransferRow)
            .from_select(list(values), rows)
            .on_conflict_do_nothing()
            .returning(TransferRow.__table__)
        )
        return [as_transfer(row) for row in connection.execute(insertion)]

    def _artifacts(self, kind: ArtifactKind) -> Any:  # noqa: ANN401 - generic otherwise in 2.0
        """Select the artifacts of a kind: the job's own, or one of each run."""
        name = literal(kind.value, Text).label("kind")
        job_id = literal(self.job_id, Integer).label("job_id")
        if not kind.belongs_to_run:
            return select(job_id, cast(null(), Integer).label("run_id"), name)
        return select(job_id, RunRow.id.label("run_id"), name).where(RunRow.job_id == self.job_id)
