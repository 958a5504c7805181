"""Requests by plain SQL, as the documents have it, are transferred by dispatch and worker."""

import ast
import re
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, Transfer, TransferState
from artifact_pipeline.worker.embedded.servers import Valkey
from artifact_pipeline.worker.embedded.stack import EmbeddedStack
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.tables import TransferRow
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from tests.contract.transfer_steps import HOUR, loss
from tests.databases import Databases
from tests.integration.deployment import Deployment
from tests.sql.producer import message_of, swept

pytestmark = pytest.mark.processes

PRODUCERS = (Path(__file__).parents[2] / "docs/producers.md").read_text()
POSTGRESQL: str
SQLITE: str
POSTGRESQL, SQLITE = re.findall(r"(?ms)^```sql\n(.*?)^```", PRODUCERS)
DJANGO = ast.literal_eval(re.findall(r'(?ms)^    INSERT = (""".*?""")$', PRODUCERS)[0])
_ROW = re.compile(r"(?m)^\| `(\w+)` \| [^|]+ \|$")
RESULTS = Artifact(ArtifactKind.RUN_RESULTS, 12, 4)
CONFIG = Artifact(ArtifactKind.JOB_CONFIG, 12)
CREATED_AT = datetime(2025, 10, 23, 21, 15, tzinfo=UTC)


def insert(url: str, statement: str, values: list[Any] | None = None) -> None:
    """Execute it with the database's own driver, as code without this package does."""
    if url.startswith("sqlite"):
        connection = sqlite3.connect(str(make_url(url).database))
        connection.execute(statement)
        connection.commit()
        connection.close()
        return
    with psycopg.connect(url.replace("+psycopg", "")) as postgres:
        # As in a session of any zone.
        postgres.execute("SET TIME ZONE 'Pacific/Auckland'")
        postgres.execute(statement.encode(), values)


def outbox(url: str) -> str:
    return SQLITE if url.startswith("sqlite") else POSTGRESQL


@pytest.fixture(params=["sqlite", "postgresql"])
def deployed(
    request: pytest.FixtureRequest, databases: Databases, tmp_path: Path
) -> Iterator[Deployment]:
    """The job and the run that the examples speak of, a worker, and no beat."""
    if request.param == "sqlite":
        with EmbeddedStack(tmp_path) as stack:
            yield _deployment(stack)
        return
    with databases.fresh() as url, EmbeddedStack(tmp_path, url) as stack:
        yield _deployment(stack)


def _deployment(stack: EmbeddedStack) -> Deployment:
    deployment = Deployment(stack)
    deployment.run(deployment.job(CREATED_AT, job_id=12), CREATED_AT, run_id=4)
    deployment.write(RESULTS)
    stack.start_worker("--concurrency", "1")
    return deployment


def test_a_row_is_transferred_by_the_dispatch(deployed: Deployment) -> None:
    # Given
    insert(deployed.stack.database_url, outbox(deployed.stack.database_url))
    # When the dispatch comes by
    deployed.foreign.send_task("artifacts.dispatch", queue="upkeep")
    # Then
    stored = deployed.stored(RESULTS)
    assert stored.object.key == "jobs/12/2025/10/23/211500/run_4_results.zip"
    (transfer,) = deployed.transfers.of_job(12)
    assert (transfer.state, transfer.requested_by) == (TransferState.DONE, "42")


def test_a_row_is_what_a_request_without_a_message_is(database_url: str, broker: Valkey) -> None:
    # Given
    engine = make_engine(database_url)
    transfers = SqlTransfers(engine)
    # When
    insert(database_url, outbox(database_url))
    insert(database_url, outbox(database_url))
    # Then the second one has joined the first
    (transfer,) = transfers.of_job(12)
    assert (transfer.artifact, transfer.direction) == (RESULTS, Direction.UPLOAD)
    assert (transfer.state, transfer.requested_by) == (TransferState.WAITING, "42")
    assert abs(transfers.now() - transfer.requested_at) < HOUR
    # And a dispatch that leaves fresh requests to their producers for an hour sends it at once
    assert swept(engine, broker, loss(unclaimed_after=HOUR)) == [message_of(transfer)]
    engine.dispose()


def test_the_insert_of_django_is_one_too(fresh_postgres_url: str, broker: Valkey) -> None:
    # Given
    engine = make_engine(fresh_postgres_url)
    # When: psycopg takes the placeholders that Django does
    values = ["0b8c", 12, None, "job_config", "42"]
    insert(fresh_postgres_url, DJANGO, values)
    # Then
    (transfer,) = SqlTransfers(engine).of_job(12)
    assert _described(transfer) == ("0b8c", CONFIG, "42", TransferState.WAITING)
    assert swept(engine, broker) == [message_of(transfer)]
    engine.dispose()


def _described(transfer: Transfer) -> tuple[str, Artifact, str | None, TransferState]:
    return transfer.request_id, transfer.artifact, transfer.requested_by, transfer.state


def test_the_documented_columns_are_those_without_a_default() -> None:
    # Given
    section = PRODUCERS.split("## Plain SQL")[1].split("\n## ")[0]
    listed = set(_ROW.findall(section))
    # Then
    columns = TransferRow.__table__.columns
    needed = {
        each.name
        for each in columns
        if not each.nullable and each.server_default is None and not each.primary_key
    }
    assert listed == needed | {"run_id", "requested_by"}
    for statement in (POSTGRESQL, SQLITE, DJANGO):
        (names,) = re.findall(r"INSERT INTO transfers \(([^)]+)\)", statement)
        assert set(re.split(r",\s+", names)) == listed
