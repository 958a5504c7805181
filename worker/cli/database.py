"""What the commands read and change in SQL."""

from worker.sql.artifacts import SqlArtifacts
from worker.sql.engine import make_engine
from worker.sql.platform import SqlJobs, SqlRuns
from worker.sql.quarantine import SqlQuarantine
from worker.sql.transfers import SqlTransfers


class Database:
    """The repositories on one engine."""

    def __init__(self, url: str) -> None:
        self.engine = make_engine(url)
        self.artifacts = SqlArtifacts(self.engine)
        self.jobs = SqlJobs(self.engine)
        self.quarantine = SqlQuarantine(self.engine)
        self.runs = SqlRuns(self.engine)
        self.transfers = SqlTransfers(self.engine)

    def close(self) -> None:
        """Close its connections."""
        self.engine.dispose()
