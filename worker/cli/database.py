"""What the commands read and change in SQL."""

from worker.database import database_engine
from worker.settings import DatabaseSettings
from worker.sql.artifacts import SqlArtifacts
from worker.sql.platform import SqlJobs, SqlRuns
from worker.sql.quarantine import SqlQuarantine
from worker.sql.transfers import SqlTransfers


class Database:
    """The repositories on one engine.

    Args:
        settings: of the database.
        makes_file: create a missing SQLite file; by default it is an error.
    """

    def __init__(self, settings: DatabaseSettings, *, makes_file: bool = False) -> None:
        self.engine = database_engine(settings, makes_file=makes_file)
        self.artifacts = SqlArtifacts(self.engine)
        self.jobs = SqlJobs(self.engine)
        self.quarantine = SqlQuarantine(self.engine)
        self.runs = SqlRuns(self.engine)
        self.transfers = SqlTransfers(self.engine)

    def close(self) -> None:
        """Close its connections."""
        self.engine.dispose()
