"""A database that answers and takes no writes, as a standby or a role of read-only transactions."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, make_url, text

from artifact_pipeline.domain.errors import ConfigurationError, SqlUnavailableError
from artifact_pipeline.worker.diagnosis.broker import examine_broker, fail_fast_app
from artifact_pipeline.worker.diagnosis.database import examine_database, reach_database
from artifact_pipeline.worker.diagnosis.findings import Severity
from artifact_pipeline.worker.sql.engine import make_engine

pytestmark = pytest.mark.processes

READ_ONLY = "cannot execute UPDATE in a read-only transaction"


@pytest.fixture
def read_only(fresh_postgres_url: str) -> Iterator[Engine]:
    database = make_url(fresh_postgres_url).database
    writable, engine = make_engine(fresh_postgres_url), make_engine(fresh_postgres_url)
    with writable.begin() as connection:
        connection.execute(
            text(f'ALTER DATABASE "{database}" SET default_transaction_read_only = on')
        )
    writable.dispose()
    yield engine
    engine.dispose()


def test_it_is_not_ready_and_a_worker_waits(read_only: Engine) -> None:
    # When
    with pytest.raises(SqlUnavailableError) as refused:
        reach_database(read_only)
    # Then it is waited for, and no setting of this process is wrong
    assert READ_ONLY in str(refused.value)
    assert not isinstance(refused.value, ConfigurationError)


def test_doctor_names_it(read_only: Engine) -> None:
    # When
    findings = [each for each in examine_database(read_only) if each.severity is not Severity.OK]
    # Then
    assert [finding.check for finding in findings] == ["database writes"]
    assert READ_ONLY in findings[0].what
    assert "standby" in findings[0].fix


def test_doctor_names_it_as_the_broker(read_only: Engine) -> None:
    # When
    url = read_only.url.render_as_string(hide_password=False)
    findings = list(examine_broker(fail_fast_app(url)))
    # Then
    assert findings[-1].check == "broker writes"
    assert findings[-1].what == "it takes no writes: the server is read only"
    assert "target_session_attrs" in findings[-1].fix
