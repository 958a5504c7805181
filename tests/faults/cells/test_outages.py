"""A broker that crashes, forgets everything, or hangs, and an S3 that is away."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.worker.embedded.process import ManagedProcess
from artifact_pipeline.worker.sql.tables import EndpointRow
from tests.faults.cells.cell import Cell, redelivering
from tests.faults.cells.requests import is_put
from tests.faults.proxy import TcpProxy, Upstream

_CHILDREN = 2
# What brings messages back otherwise, out of the way.
NO_SWEEP_BY_AGE = {
    "ARTIFACTS_DISPATCH_UNCLAIMED_SECONDS": "3600",
    "ARTIFACTS_DISPATCH_REPUBLISH_SECONDS": "3600",
}


@contextmanager
def broker_proxy(cell: Cell) -> Iterator[TcpProxy]:
    broker = cell.stack.broker
    upstream: Upstream = broker._socket or ("127.0.0.1", broker._port)
    with TcpProxy(upstream) as proxy:
        yield proxy


def through(proxy: TcpProxy) -> dict[str, str]:
    return {"ARTIFACTS_BROKER_URL": f"redis://127.0.0.1:{proxy.port}/0"}


def test_a_worker_killed_after_the_record_before_the_acknowledgement(cell: Cell) -> None:
    # Given a worker that has recorded an artifact and cannot reach the broker to say so
    artifact = cell.small()
    with broker_proxy(cell) as proxy:
        hold = cell.s3.hold(is_put)
        worker = cell.worker(**through(proxy))
        cell.send(artifact)
        assert hold.arrived.wait(30)
        proxy.half_open()
        hold.release()
        before = cell.assert_settled(artifact), cell.stored(artifact)

        # When it is killed
        worker.kill()
    assert cell.unacknowledged() == 1

    # Then the message is delivered again, and changes nothing
    cell.worker(redelivering(1))
    cell.assert_idle()
    assert (cell.assert_settled(artifact), cell.stored(artifact)) == before
    # Beside what each of the two looks at when it starts
    assert cell.s3.counts == {"PutObject": 1, "ListObjectsV2": 2}


def test_a_broker_that_crashes_in_the_middle_of_an_upload(cell: Cell) -> None:
    # Given a worker that is at an upload
    artifact = cell.small()
    hold = cell.s3.hold(is_put)
    worker = cell.worker(redelivering(2))
    cell.send(artifact)
    assert hold.arrived.wait(30)

    # When the broker crashes and is back with what it had
    cell.stack.broker.kill()
    cell.stack.broker.start()
    hold.release()

    # Then the worker ends the upload, and does the next one, without being restarted
    assert cell.assert_settled(artifact).attempts == 1
    _assert_works(cell, worker)


def test_a_broker_that_forgets_everything_while_workers_run(cell: Cell) -> None:
    # Given fifty requests, and two workers that are at the first four
    artifacts = [cell.small() for _ in range(50)]
    holds = [cell.s3.hold(is_put) for _ in range(4)]
    cell.rescuer("--concurrency=2", **NO_SWEEP_BY_AGE)
    cell.worker("--concurrency=2", **NO_SWEEP_BY_AGE)
    cell.wait_until(cell.has_swept)
    cell.request(*artifacts)
    assert all(hold.arrived.wait(30) for hold in holds)
    with cell.stack.broker.client() as broker:
        # When the broker forgets everything
        broker.flushall()
    for hold in holds:
        hold.release()

    # Then all are stored, without anybody's help, each in its first attempt
    ended = cell.all_settled(artifacts)
    assert {transfer.attempts for transfer in ended} == {1}
    cell.assert_idle()


@pytest.mark.parametrize("is_at_an_upload", [False, True])
def test_a_broker_that_hangs_and_comes_back(cell: Cell, *, is_at_an_upload: bool) -> None:
    # Given a worker whose connections to the broker are half open
    artifact, hold = cell.small(), cell.s3.hold(is_put)
    with broker_proxy(cell) as proxy:
        worker = cell.rescuer(redelivering(2), **through(proxy))
        cell.wait_until(cell.has_swept)
        if is_at_an_upload:
            cell.request(artifact)
            assert hold.arrived.wait(30)
        proxy.half_open()
        if not is_at_an_upload:
            # The broker hands its message to the worker that waits for one, and so to nobody.
            cell.request(artifact)
        hold.release()

        # When they are healed
        proxy.heal()

        # Then the worker goes on without being restarted
        assert cell.assert_settled(artifact).attempts == 1
        _assert_works(cell, worker)


def test_an_s3_that_is_away_costs_hardly_any_attempts(cell: Cell) -> None:
    # Given twenty requests, and an S3 that refuses every connection since the worker has started
    artifacts = [cell.small() for _ in range(20)]
    with TcpProxy(("127.0.0.1", cell.s3.port)) as proxy:
        endpoint = f"127.0.0.1:{proxy.port}"
        at = {"ARTIFACTS_S3_ENDPOINT_URL": f"http://{endpoint}"}
        cell.rescuer(f"--concurrency={_CHILDREN}", **at)
        cell.wait_until(cell.has_swept)
        proxy.refuse()
        cell.request(*artifacts)

        # When it comes back after more failures than the breaker takes
        cell.wait_until(lambda: _failures(cell, endpoint) >= 8)
        proxy.heal()

        # Then all is stored, and hardly an attempt was spent
        spent = sum(transfer.attempts for transfer in cell.all_settled(artifacts))
        assert spent - len(artifacts) <= 5 + _CHILDREN
        cell.assert_idle()
    assert _failures(cell, endpoint) == 0


def _assert_works(cell: Cell, worker: ManagedProcess) -> Artifact:
    following = cell.small()
    cell.send(following)
    cell.assert_settled(following)
    cell.assert_idle()
    assert worker.is_running
    return following


def _failures(cell: Cell, endpoint: str) -> int:
    failures = select(func.sum(EndpointRow.failures)).where(EndpointRow.endpoint == endpoint)
    with Session(cell.stack.engine) as session:
        return session.scalar(failures) or 0
