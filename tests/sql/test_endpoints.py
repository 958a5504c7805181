"""How often an S3 endpoint has failed, as all workers count it together."""

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.orm import Session

from artifact_pipeline.worker.sql.clock import utc_now
from artifact_pipeline.worker.sql.endpoint_failures import SqlEndpointFailures
from artifact_pipeline.worker.sql.tables import EndpointRow, WorkspaceFailureRow
from tests.contract.transfer_steps import HOUR, at_once

HERE, ELSEWHERE = "https://s3.here.invalid", "https://s3.elsewhere.invalid"


@pytest.fixture(params=[EndpointRow, WorkspaceFailureRow])
def table(request: pytest.FixtureRequest) -> type[EndpointRow | WorkspaceFailureRow]:
    found: type[EndpointRow | WorkspaceFailureRow] = request.param
    return found


@pytest.fixture
def failures(engine: Engine, table: type[EndpointRow | WorkspaceFailureRow]) -> SqlEndpointFailures:
    return SqlEndpointFailures(engine, HOUR / 2, table)


def test_each_endpoint_has_a_count_of_its_own(failures: SqlEndpointFailures) -> None:
    assert [failures.count(HERE) for _ in range(3)] == [1, 2, 3]
    assert failures.count(ELSEWHERE) == 1


def test_what_works_again_begins_at_one(failures: SqlEndpointFailures) -> None:
    failures.count(HERE)
    failures.forget(HERE)
    failures.forget(HERE)
    assert failures.count(HERE) == 1


def test_no_failure_is_lost_between_workers(failures: SqlEndpointFailures) -> None:
    assert sorted(at_once(lambda _: failures.count(HERE), 10)) == list(range(1, 11))


def test_failures_of_long_ago_are_forgotten(
    failures: SqlEndpointFailures,
    engine: Engine,
    table: type[EndpointRow | WorkspaceFailureRow],
) -> None:
    failures.count(HERE)
    with Session(engine) as session, session.begin():
        session.execute(update(table).values(failed_at=utc_now(-HOUR)))
    assert failures.count(HERE) == 1
