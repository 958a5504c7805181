"""Whether the database takes writes: a standby and a read-only role answer all questions."""

from sqlalchemy import Engine, false, update

from artifact_pipeline.worker.sql.engine import autocommit
from artifact_pipeline.worker.sql.tables import EndpointRow


def check_writes(engine: Engine) -> None:
    """Try a write that changes no row.

    Raises:
        SqlUnavailableError: the database or this role's transactions are read-only.
    """
    nothing = update(EndpointRow).where(false()).values(failures=EndpointRow.failures)
    with autocommit(engine) as connection:
        connection.execute(nothing)
