"""Containers share a host name, and in each the worker has the PID 1."""

import os
import socket
from collections.abc import Iterator
from datetime import timedelta

import pytest
from celery import Celery
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Claim, Direction, TransferState
from artifact_pipeline.worker.composition.worker import Composition
from artifact_pipeline.worker.settings import WorkerSettings, load
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from tests.sql.steps import job_row

UPLOAD = Direction.UPLOAD
CONFIG = Artifact(ArtifactKind.JOB_CONFIG, 12)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def transfers(engine: Engine) -> SqlTransfers:
    with Session(engine) as session, session.begin():
        session.add(job_row())
    return SqlTransfers(engine)


@pytest.fixture
def workers(
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Composition, Composition]]:
    """Two workers of the same host name and PID, on one database."""
    settings = {
        "ARTIFACTS_DATABASE_URL": engine.url.render_as_string(hide_password=False),
        "ARTIFACTS_BROKER_URL": "redis://127.0.0.1:1/0",
        "ARTIFACTS_BUCKET": "artifacts",
        "ARTIFACTS_WORKSPACE": str(tmp_path_factory.mktemp("workspace")),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    app = Celery("tests", broker=settings["ARTIFACTS_BROKER_URL"], set_as_current=False)
    one, other = (Composition(load(WorkerSettings), app) for _ in range(2))
    yield one, other
    for each in (one, other):
        each.adapters.close()


def claim(transfers: SqlTransfers, owner: str) -> Claim:
    found = transfers.claim(CONFIG, UPLOAD, "a request", owner=owner, lease=MINUTE)
    assert isinstance(found, Claim)
    return found


def owner_of(worker: Composition) -> str:
    return worker.runner.owner


def test_a_worker_that_is_stopped_leaves_the_others_leases(
    workers: tuple[Composition, Composition], transfers: SqlTransfers
) -> None:
    # Given
    one, other = workers
    claim(transfers, owner_of(one))
    # When
    assert other.release_leases() == 0
    # Then the first one still has its transfer, until it is stopped itself
    running = transfers.latest(CONFIG, UPLOAD)
    assert running is not None
    assert running.state is TransferState.RUNNING
    assert one.release_leases() == 1


def test_a_worker_of_an_earlier_version_leaves_them_too(
    workers: tuple[Composition, Composition], transfers: SqlTransfers
) -> None:
    claim(transfers, owner_of(workers[0]))
    assert transfers.release_leases(f"{socket.gethostname()}:{os.getpid()}") == 0


def test_a_lease_of_an_earlier_version_is_taken_back_by_its_worker(
    transfers: SqlTransfers,
) -> None:
    claim(transfers, "host:1:8")
    assert transfers.release_leases("host:1") == 1


def test_the_name_can_be_read(workers: tuple[Composition, Composition]) -> None:
    host, process, child = owner_of(workers[0]).split(":")
    assert host == socket.gethostname()
    assert process.partition("-")[0] == child == str(os.getpid())


def test_children_have_the_name_of_their_worker(
    workers: tuple[Composition, Composition], transfers: SqlTransfers
) -> None:
    worker, _other = workers
    worker.after_fork()
    claim(transfers, owner_of(worker))
    assert worker.release_leases() == 1
