"""The workspaces that the database knows: the `workspaces` table."""

from sqlalchemy import Connection, Engine, delete, exists, inspect, select, text

from artifact_pipeline.worker.sql.clock import utc_now
from artifact_pipeline.worker.sql.engine import autocommit, insert_into, transaction
from artifact_pipeline.worker.sql.errors import SqlMisconfiguredError
from artifact_pipeline.worker.sql.tables import WorkspaceRow

_LOCK = 0x776B73  # any number that nothing else locks: "wks"


class SqlWorkspaces:
    """The known workspaces, in SQL.

    Args: `added_by` names who adds one; a user and a host.
    """

    def __init__(self, engine: Engine, added_by: str | None = None) -> None:
        self._engine = engine
        self._added_by = added_by

    def known(self) -> frozenset[str] | None:
        """Return the ids of all of them; None if the database is too old to have the table."""
        try:
            with autocommit(self._engine) as connection:
                return frozenset(connection.scalars(select(WorkspaceRow.id)))
        except SqlMisconfiguredError:
            if self._has_table():
                raise  # a grant is missing
            return None

    def add_first(self, workspace_id: str) -> None:
        """Add the workspace, unless one is known: of two at once, the first one is added."""
        with transaction(self._engine) as connection:
            _lock(connection)
            if not connection.scalar(select(exists(select(WorkspaceRow.id)))):
                self._add(connection, workspace_id)

    def add(self, workspace_id: str) -> None:
        """Add the workspace beside those that are known."""
        with transaction(self._engine) as connection:
            self._add(connection, workspace_id)

    def replace_all(self, workspace_id: str) -> None:
        """Have this workspace as the only one."""
        with transaction(self._engine) as connection:
            _lock(connection)
            connection.execute(delete(WorkspaceRow).where(WorkspaceRow.id != workspace_id))
            self._add(connection, workspace_id)

    def _add(self, connection: Connection, workspace_id: str) -> None:
        insert = insert_into(connection.dialect.name, WorkspaceRow).values(
            id=workspace_id, added_at=utc_now(), added_by=self._added_by
        )
        connection.execute(insert.on_conflict_do_nothing(index_elements=[WorkspaceRow.id]))

    def _has_table(self) -> bool:
        with autocommit(self._engine) as connection:
            return inspect(connection).has_table(WorkspaceRow.__tablename__)


def _lock(connection: Connection) -> None:
    # Two transactions that both see an empty table would both insert; SQLite has one writer anyway.
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
