"""How often S3 endpoints, the workspaces of hosts, or targets of events have failed."""

from datetime import timedelta

from sqlalchemy import Engine, case, delete

from artifact_pipeline.worker.sql.clock import utc_now
from artifact_pipeline.worker.sql.engine import insert_into, transaction
from artifact_pipeline.worker.sql.tables import EndpointRow, EventTargetRow, WorkspaceFailureRow


class SqlEndpointFailures:
    """Counts failures in one of the tables.

    Args:
        engine: of the database.
        forgotten_after: a count that is older begins again.
        table: where they are counted.
    """

    def __init__(
        self,
        engine: Engine,
        forgotten_after: timedelta,
        table: type[EndpointRow | WorkspaceFailureRow | EventTargetRow] = EndpointRow,
    ) -> None:
        self._engine = engine
        self._forgotten_after = forgotten_after
        self._table = table

    def count(self, endpoint: str) -> int:
        table = self._table
        is_old = table.failed_at < utc_now(-self._forgotten_after)
        failures = case((is_old, 1), else_=table.failures + 1)
        with transaction(self._engine) as connection:
            insert = insert_into(connection.dialect.name, table).values(
                endpoint=endpoint, failures=1, failed_at=utc_now()
            )
            counted = insert.on_conflict_do_update(
                index_elements=[table.endpoint],
                set_={"failures": failures, "failed_at": utc_now()},
            )
            count: int = connection.scalar(counted.returning(table.failures))
        return count

    def forget(self, endpoint: str) -> None:
        with transaction(self._engine) as connection:
            connection.execute(delete(self._table).where(self._table.endpoint == endpoint))
