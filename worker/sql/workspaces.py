"""The workspaces that the database knows: the `workspaces` table."""

from sqlalchemy import ColumnElement, Connection, Engine, delete, exists, inspect, select, text

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.tasks.own_workspace import NAME_VARIABLE
from artifact_pipeline.worker.sql.clock import utc_now
from artifact_pipeline.worker.sql.engine import autocommit, insert_into, transaction
from artifact_pipeline.worker.sql.errors import SqlMisconfiguredError
from artifact_pipeline.worker.sql.tables import WorkspaceRow

_LOCK = 0x776B73  # any number that nothing else locks: "wks"


class SqlWorkspaces:
    """The known workspaces of one name, in SQL.

    Args:
        engine: of the database.
        added_by: who adds one; a user and a host.
        name: None is the default workspace.
    """

    def __init__(
        self, engine: Engine, added_by: str | None = None, name: str | None = None
    ) -> None:
        self._engine = engine
        self._added_by = added_by
        self._name = name

    def known(self) -> frozenset[str] | None:
        """Return the ids of all of them; None if the database is too old to have the table."""
        try:
            with autocommit(self._engine) as connection:
                return frozenset(connection.scalars(select(WorkspaceRow.id).where(self._has_name)))
        except SqlMisconfiguredError:
            if self._has_table():
                raise  # a grant is missing
            return None

    def add_first(self, workspace_id: str) -> None:
        """Add the workspace, unless one is known: of two at once, the first one is added."""
        with transaction(self._engine) as connection:
            _lock(connection)
            if not connection.scalar(select(exists(select(WorkspaceRow.id).where(self._has_name)))):
                self._add(connection, workspace_id)

    def add(self, workspace_id: str) -> None:
        """Add the workspace beside those that are known."""
        with transaction(self._engine) as connection:
            self._add(connection, workspace_id)

    def replace_all(self, workspace_id: str) -> None:
        """Have this workspace as the only one of its name."""
        with transaction(self._engine) as connection:
            _lock(connection)
            others = delete(WorkspaceRow).where(self._has_name, WorkspaceRow.id != workspace_id)
            connection.execute(others)
            self._add(connection, workspace_id)

    @property
    def _has_name(self) -> ColumnElement[bool]:
        return WorkspaceRow.name.is_not_distinct_from(self._name)

    def _add(self, connection: Connection, workspace_id: str) -> None:
        """Add the workspace. Raises: InvalidRequestError: it has another name."""
        insert = insert_into(connection.dialect.name, WorkspaceRow).values(
            id=workspace_id, added_at=utc_now(), added_by=self._added_by, name=self._name
        )
        connection.execute(insert.on_conflict_do_nothing(index_elements=[WorkspaceRow.id]))
        this = WorkspaceRow.id == workspace_id
        name = connection.execute(select(WorkspaceRow.name).where(this)).scalar_one()
        if name != self._name:
            raise InvalidRequestError(
                f"this tree is {described(name)} already, and cannot be {described(self._name)}:"
                f" its marker has the id {workspace_id}. Set {NAME_VARIABLE} to its name, or remove"
                " the marker"
            )

    def _has_table(self) -> bool:
        with autocommit(self._engine) as connection:
            return inspect(connection).has_table(WorkspaceRow.__tablename__)


def described(name: str | None) -> str:
    """Return what users call the workspace of this name."""
    return "the default workspace" if name is None else f"the workspace {name}"


def _lock(connection: Connection) -> None:
    # Two transactions that both see an empty table would both insert; SQLite has one writer anyway.
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
