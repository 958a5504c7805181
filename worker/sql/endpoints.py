"""How often S3 endpoints have failed: the `s3_endpoints` table."""

from datetime import timedelta

from sqlalchemy import Engine, case, delete

from worker.sql.clock import utc_now
from worker.sql.engine import insert_into, transaction
from worker.sql.tables import EndpointRow


class SqlEndpointFailures:
    """Args: a count that is older than `forgotten_after` begins anew."""

    def __init__(self, engine: Engine, forgotten_after: timedelta) -> None:
        self._engine = engine
        self._forgotten_after = forgotten_after

    def count(self, endpoint: str) -> int:
        is_old = EndpointRow.failed_at < utc_now(-self._forgotten_after)
        failures = case((is_old, 1), else_=EndpointRow.failures + 1)
        with transaction(self._engine) as connection:
            insert = insert_into(connection.dialect.name, EndpointRow).values(
                endpoint=endpoint, failures=1, failed_at=utc_now()
            )
            counted = insert.on_conflict_do_update(
                index_elements=[EndpointRow.endpoint],
                set_={"failures": failures, "failed_at": utc_now()},
            )
            count: int = connection.scalar(counted.returning(EndpointRow.failures))
        return count

    def forget(self, endpoint: str) -> None:
        with transaction(self._engine) as connection:
            connection.execute(delete(EndpointRow).where(EndpointRow.endpoint == endpoint))
