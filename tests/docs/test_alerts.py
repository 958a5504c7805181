"""The query that tells what to be woken for, run as it stands in the documents."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from sqlalchemy import ColumnElement, Engine, func, insert

from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.tables import (
    BatchRow,
    EndpointRow,
    TransferRow,
    WorkspaceFailureRow,
)
from tests.databases import Databases
from tests.deployments.time_steps import give_times_the_type

MONITORING = Path(__file__).parents[2] / "docs/operations/monitoring.md"
(QUERY,) = re.findall(r"^```sql\n(.*?)^```", MONITORING.read_text(), re.DOTALL | re.MULTILINE)
ALERTS = {
    *("not taken", "not taken over", "given up"),
    *("S3 fails", "workspace fails", "batch stands still"),
}


def ago(minutes: float) -> ColumnElement[Any]:
    """By the database's clock at the insert: the rows below are made long before it."""
    return func.now() - timedelta(minutes=minutes)


def transfer(state: TransferState, **changes: Any) -> dict[str, Any]:
    return {
        "request_id": state,
        "job_id": 12,
        "kind": "job_config",
        "direction": Direction.UPLOAD,
        "state": state,
        "attempts": 1,
        "fence": 1,
        "requested_at": ago(600),
        "next_attempt_at": ago(600),
        **changes,
    }


def hours(begin: int, end: int) -> dict[str, str]:
    """Hours of a batch, in minutes from now, in a zone that is not the database's."""
    now = datetime.now(ZoneInfo("Asia/Kolkata"))
    begins, ends = (f"{now + timedelta(minutes=minutes):%H:%M}" for minutes in (begin, end))
    return {"release_hours": f"{begins}-{ends}", "release_zone": "Asia/Kolkata"}


def batch(state: str, started_at: ColumnElement[Any], **hours: str) -> dict[str, Any]:
    return {
        "id": 7,
        "requested_by": "ada",
        "reason": "the share was not mounted",
        "filter": {},
        "state": state,
        "requested_at": started_at,
        "started_at": started_at,
        **hours,
    }


AMISS: dict[str, list[tuple[Any, dict[str, Any]]]] = {
    "not taken": [(TransferRow, transfer(TransferState.REQUESTED))],
    "not taken over": [
        (TransferRow, transfer(TransferState.RUNNING, lease_owner="a", lease_expires_at=ago(3)))
    ],
    "given up": [(TransferRow, transfer(TransferState.QUARANTINED, finished_at=ago(59)))],
    "S3 fails": [(EndpointRow, {"endpoint": "s3", "failures": 5, "failed_at": ago(1)})],
    "workspace fails": [
        (WorkspaceFailureRow, {"endpoint": "workspace of a", "failures": 1, "failed_at": ago(1)})
    ],
    "batch stands still": [
        (BatchRow, batch("running", ago(31), **hours(-40, 40))),
        (
            TransferRow,
            transfer(TransferState.DONE, finished_at=ago(31), batch_id=7),
        ),
    ],
}
WELL: list[list[tuple[Any, dict[str, Any]]]] = [
    [(TransferRow, transfer(TransferState.REQUESTED, next_attempt_at=ago(4)))],
    [(TransferRow, transfer(TransferState.WAITING, next_attempt_at=ago(-60)))],
    [(TransferRow, transfer(TransferState.RUNNING, lease_expires_at=ago(1)))],
    [(TransferRow, transfer(TransferState.QUARANTINED, finished_at=ago(61)))],
    [(TransferRow, transfer(TransferState.DONE, finished_at=ago(1)))],
    [(EndpointRow, {"endpoint": "s3", "failures": 5, "failed_at": ago(6)})],
    [(WorkspaceFailureRow, {"endpoint": "workspace of a", "failures": 1, "failed_at": ago(6)})],
    [(BatchRow, batch("running", ago(29)))],
    [(BatchRow, batch("paused", ago(31)))],
    [(BatchRow, batch("running", ago(31), **hours(5, 60)))],
    [(BatchRow, batch("running", ago(31), **hours(-5, 60)))],
    [
        (BatchRow, batch("running", ago(31))),
        (TransferRow, transfer(TransferState.DONE, finished_at=ago(1), batch_id=7)),
    ],
]


@pytest.fixture(params=["timestamp", "timestamptz"])
def engine(request: pytest.FixtureRequest, databases: Databases) -> Iterator[Engine]:
    """Of columns of that type, in a database of another zone than UTC."""
    kind: str = request.param
    url = databases.altered(f"{kind}_in_zone", partial(give_times_the_type, kind=kind))
    engine = make_engine(url)
    yield engine
    engine.dispose()


def _alerts(engine: Engine, rows: list[tuple[Any, dict[str, Any]]]) -> set[str]:
    with engine.begin() as connection:
        for table, values in rows:
            connection.execute(insert(table).values(values))
    # In a session of the database's zone, as an operator or a monitoring system has.
    url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as operator:
        now = operator.execute("SELECT now()").fetchall()[0][0]
        found = operator.execute(QUERY.encode()).fetchall()
    assert {alert for alert, _, _ in found} == ALERTS
    since = [moment for _, how_many, moment in found if how_many]
    assert all(now - timedelta(minutes=601) < moment < now for moment in since)
    return {alert for alert, how_many, _ in found if how_many}


@pytest.mark.parametrize("alert", sorted(AMISS))
def test_what_is_amiss_is_told(engine: Engine, alert: str) -> None:
    assert _alerts(engine, AMISS[alert]) == {alert}


@pytest.mark.parametrize("rows", WELL)
def test_what_is_well_is_not(engine: Engine, rows: list[tuple[Any, dict[str, Any]]]) -> None:
    assert _alerts(engine, rows) == set()


def test_each_alert_has_its_row_of_what_to_do() -> None:
    documented = set(re.findall(r"^\| `([\w ]+)` \|", MONITORING.read_text(), re.MULTILINE))
    assert documented >= ALERTS
