"""A broker that answers with an error, and is well again: after a failover, without memory, …."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tasks.contract import CONFIGS
from tests.deployments.deployed import a_config, deployed
from tests.deployments.refusals import CONFIGURATION, Refusals
from tests.deployments.redis_server import RedisServer
from tests.faults.cells.requests import is_put
from tests.faults.s3_proxy import FaultyS3
from tests.integration.deployment import Deployment
from worker.embedded.process import ManagedProcess

pytestmark = pytest.mark.processes

KINDS = ["READONLY", "MASTERDOWN", "NOREPLICAS", "OOM", "MISCONF", "BUSY", "NOAUTH", "NOPERM"]


class Refused:
    """A deployment with a worker and beat that run through all refusals."""

    def __init__(self, deployment: Deployment, s3: FaultyS3, server: RedisServer) -> None:
        self.deployment = deployment
        self.s3 = s3
        self.refusals = Refusals(server)
        stack = deployment.stack
        self.worker = stack.start_worker(
            *("--concurrency", "1"), environment={"ARTIFACTS_S3_ENDPOINT_URL": s3.url}
        )
        self.beat = stack.start_celery("beat", "worker.control", "beat")

    def lines(self, process: ManagedProcess, words: str) -> int:
        return process.log.read_text().count(words)


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Refused]:
    with ExitStack() as exits:
        directory = tmp_path_factory.mktemp("refused")
        deployment = exits.enter_context(deployed(directory, *CONFIGURATION))
        server: RedisServer = deployment.stack.broker  # type: ignore[assignment]
        s3 = exits.enter_context(FaultyS3(deployment.stack.s3.port))
        made = Refused(deployment, s3, server)
        exits.callback(made.refusals.close)
        yield made


@pytest.mark.parametrize("kind", KINDS)
def test_a_worker_goes_on_when_the_broker_is_well_again(refused: Refused, kind: str) -> None:
    # Given a message in flight, and one that waits
    deployment = refused.deployment
    first, second, third = (a_config(deployment) for _ in range(3))
    hold = refused.s3.hold(is_put)
    deployment.send(first)
    assert hold.arrived.wait(30)
    deployment.send(second)

    # When the broker refuses while the first upload ends
    with refused.refusals.refusing(kind):
        hold.release()
        deployment.stored(first)
        # Its acknowledgement is refused
        deployment.wait_until(lambda: refused.worker.is_running)

    # Then both are done, and what is sent afterwards, by the same worker
    deployment.stored(second)
    deployment.send(third)
    deployment.stored(third)
    assert refused.worker.is_running
    assert refused.beat.is_running
    with deployment.stack.broker.client() as client:
        assert client.llen(CONFIGS) == 0
