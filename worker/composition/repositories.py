"""The repositories of a database: of workers and commands on an engine, of a producer in a session.

Each is made when it is first asked for, and connects when it is first used.
"""

from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from artifact_pipeline.domain.catalog.placement import Placement
from artifact_pipeline.worker.composition.engine import database_engine
from artifact_pipeline.worker.settings import DatabaseSettings
from artifact_pipeline.worker.sql.artifacts import SqlArtifacts
from artifact_pipeline.worker.sql.engine import Bind
from artifact_pipeline.worker.sql.platform import SqlJobs, SqlRuns
from artifact_pipeline.worker.sql.transfers.event_log import NO_EVENTS, EventLog
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers

if TYPE_CHECKING:
    from artifact_pipeline.worker.sql.audit_trail import SqlAuditTrail
    from artifact_pipeline.worker.sql.legal_holds import SqlLegalHolds
    from artifact_pipeline.worker.sql.manifests import SqlManifests
    from artifact_pipeline.worker.sql.tombstones import SqlTombstones
    from artifact_pipeline.worker.sql.transfers.quarantine import SqlQuarantine
    from artifact_pipeline.worker.sql.transfers.upload_pages import SqlUploadPages


class Repositories(ABC):
    """All on one engine or in one session.

    Attributes:
        workspace: the name of the only one whose transfers are claimed.
    """

    workspace: str | None = None

    @property
    @abstractmethod
    def bind(self) -> Bind:
        """The engine or the session."""

    @cached_property
    def transfers(self) -> SqlTransfers:
        return SqlTransfers(self.bind, self.events, workspace=self.workspace)

    @property
    def events(self) -> EventLog:
        """What writes events; by default nothing does."""
        return NO_EVENTS

    @cached_property
    def artifacts(self) -> SqlArtifacts:
        return SqlArtifacts(self.bind)

    @cached_property
    def jobs(self) -> SqlJobs:
        return SqlJobs(self.bind)

    @cached_property
    def runs(self) -> SqlRuns:
        return SqlRuns(self.bind)

    @cached_property
    def placement(self) -> Placement:
        return Placement(jobs=self.jobs, runs=self.runs)


class SessionRepositories(Repositories):
    """Repositories in a session of the platform: what they write commits with it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def bind(self) -> Session:
        return self._session


class Database(Repositories):
    """Repositories on an engine of their own.

    Args:
        settings: of the database.
        makes_file: create a missing SQLite file; by default it is an error.
    """

    def __init__(self, settings: DatabaseSettings, *, makes_file: bool = False) -> None:
        self._database_settings = settings
        self._makes_file = makes_file

    @property
    def bind(self) -> Engine:
        return self.engine

    @cached_property
    def events(self) -> EventLog:
        return EventLog(self._database_settings.targets_of_all)

    @cached_property
    def engine(self) -> Engine:
        return database_engine(self._database_settings, makes_file=self._makes_file)

    @cached_property
    def audit_trail(self) -> "SqlAuditTrail":
        # Only operators' commands keep what they do.
        from artifact_pipeline.worker.sql.audit_trail import SqlAuditTrail  # noqa: PLC0415

        return SqlAuditTrail(self.engine)

    @cached_property
    def legal_holds(self) -> "SqlLegalHolds":
        # Only operators' commands look at holds.
        from artifact_pipeline.worker.sql.legal_holds import SqlLegalHolds  # noqa: PLC0415

        return SqlLegalHolds(self.engine)

    @cached_property
    def tombstones(self) -> "SqlTombstones":
        # As legal holds.
        from artifact_pipeline.worker.sql.tombstones import SqlTombstones  # noqa: PLC0415

        return SqlTombstones(self.engine)

    @cached_property
    def quarantine(self) -> "SqlQuarantine":
        # Most commands never look at it, and it imports all that selects transfers.
        from artifact_pipeline.worker.sql.transfers.quarantine import SqlQuarantine  # noqa: PLC0415

        return SqlQuarantine(self.engine, self.events)

    @cached_property
    def upload_pages(self) -> "SqlUploadPages":
        # Only a worker runs pages.
        from artifact_pipeline.worker.sql.transfers.upload_pages import SqlUploadPages  # noqa: PLC0415

        return SqlUploadPages(self.engine, self.events, workspace=self.workspace)

    @cached_property
    def manifests(self) -> "SqlManifests":
        # Only a worker writes them.
        from artifact_pipeline.worker.sql.manifests import SqlManifests  # noqa: PLC0415

        return SqlManifests(self.engine)

    def forget_parent(self) -> None:
        """Forget the parent's connections in a forked process, and leave them open.

        A connection that two processes share gives each the other's answers.
        """
        inherited = self.__dict__.get("engine")
        if inherited is not None:
            inherited.dispose(close=False)

    def close(self) -> None:
        """Close the connections to the database."""
        opened = self.__dict__.get("engine")
        if opened is not None:
            opened.dispose()
