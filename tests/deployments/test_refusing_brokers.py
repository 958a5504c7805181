"""A broker that answers with an error, and is well again: after a failover, without memory, …."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.orm import Session

from artifact_pipeline.domain.errors import BrokerUnavailableError
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.tasks.app import producer_app
from artifact_pipeline.tasks.publish import publish
from artifact_pipeline.tasks.routing import CONFIGS
from artifact_pipeline.worker.diagnosis.broker import examine_broker, fail_fast_app, reach_broker
from artifact_pipeline.worker.diagnosis.findings import Severity
from artifact_pipeline.worker.embedded.process import ManagedProcess
from artifact_pipeline.worker.sql.transfers.requests import request_in
from tests.deployments.deployed import a_config, deployed
from tests.deployments.redis_server import RedisServer
from tests.deployments.refusals import CONFIGURATION, Refusals
from tests.faults.cells.requests import is_put
from tests.faults.s3_proxy import FaultyS3
from tests.integration.deployment import Deployment

pytestmark = pytest.mark.processes

KINDS = ["READONLY", "MASTERDOWN", "NOREPLICAS", "OOM", "MISCONF", "BUSY", "NOAUTH", "NOPERM"]
# A worker waits for up to half a minute between two tries to connect.
_PATIENCE_SECONDS = 150
PIDBOX = "/0.celery.pidbox"
UNANSWERED = "Control command error"


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
        self.beat = stack.start_celery("beat", "artifact_pipeline.worker.control", "beat")

    def reconnections(self, process: ManagedProcess) -> int:
        """Return how often the process said that it cannot connect."""
        return process.log.read_text().count("Cannot connect to redis://")


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Refused]:
    with ExitStack() as exits:
        directory = tmp_path_factory.mktemp("refused")
        deployment = exits.enter_context(
            deployed(directory, *CONFIGURATION, patience_seconds=_PATIENCE_SECONDS)
        )
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

    # When the broker refuses while the first upload ends, and the worker has noticed it
    before = refused.reconnections(refused.worker)
    with refused.refusals.refusing(kind):
        hold.release()
        deployment.stored(first)
        if kind == "OOM":
            # A full broker is drained.
            deployment.stored(second)
        else:
            deployment.wait_until(lambda: refused.reconnections(refused.worker) > before)

    # Then both are done, and what is sent afterwards, by the same worker
    deployment.stored(second)
    deployment.send(third)
    deployment.stored(third)
    assert refused.worker.is_running
    assert refused.beat.is_running
    with deployment.stack.broker.client() as client:
        assert client.llen(CONFIGS) == 0


SAID = {
    "READONLY": "You can't write against a read only replica",
    "MASTERDOWN": "Link with MASTER is down",
    "NOREPLICAS": "NOREPLICAS Not enough good replicas",
    "OOM": "command not allowed when used memory > 'maxmemory'",
    "MISCONF": "MISCONF Redis is configured to save RDB snapshots",
    "BUSY": "BUSY Redis is busy running a script",
    "NOAUTH": "Authentication required",
    "NOPERM": "has no permissions to run the",
}


@pytest.mark.parametrize("kind", KINDS)
def test_producers_and_checks_say_so_in_one_line(
    refused: Refused, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a producer
    monkeypatch.setattr("artifact_pipeline.tasks.app._producer", None)
    stack = refused.deployment.stack
    artifact = a_config(refused.deployment)
    producer = producer_app(stack.broker.url, timeout_seconds=10)
    with Session(stack.engine) as session, session.begin():
        transfer = request_in(session, artifact, Direction.UPLOAD, producer)

        # When the broker refuses as it commits, and as checks look
        with refused.refusals.refusing(kind):
            session.commit()
            with pytest.raises(BrokerUnavailableError) as unavailable:
                publish([transfer], producer)
            with pytest.raises(BrokerUnavailableError) as not_ready:
                reach_broker(fail_fast_app(stack.broker.url))
            findings = list(examine_broker(fail_fast_app(stack.broker.url)))

    # Then each says why in one line, without the message
    for error in (unavailable, not_ready):
        assert SAID[kind] in str(error.value)
        assert len(str(error.value).splitlines()) == 1
        assert transfer.request_id not in str(error.value)
    [finding] = [each for each in findings if each.severity is Severity.ERROR]
    assert SAID[kind] in finding.what
    assert finding.fix

    # And SQL has the request
    assert refused.deployment.latest(artifact).request_id == transfer.request_id


def test_a_control_command_does_not_stop_a_worker_of_a_full_broker(refused: Refused) -> None:
    # Given an operator who has a queue for answers
    deployment = refused.deployment
    control: Any = deployment.foreign.control
    deployment.wait_until(lambda: bool(control.ping(timeout=1)))
    before = refused.worker.log.read_text().count(UNANSWERED)
    with deployment.foreign.connection_for_write() as connection, ExitStack() as exits:
        client = exits.enter_context(deployment.stack.broker.client())
        heard = exits.enter_context(client.pubsub(ignore_subscribe_messages=True))
        heard.subscribe(PIDBOX)
        mailbox = control.mailbox(connection)
        # One that does not expire before the worker has tried to answer.
        answers = mailbox.get_reply_queue()
        answers.expires = None
        answers(connection.default_channel).declare()
        mailbox._publish("ping", {}, reply_ticket=str(uuid4()))
        command = next(each for each in iter(heard.get_message, ()) if each)

        # When its answers do not fit into the broker
        def is_tried_twice() -> bool:
            # Again and again: a worker that just connects anew never hears of a command.
            client.publish(PIDBOX, command["data"])
            return refused.worker.log.read_text().count(UNANSWERED) > before + 1

        # Then it hears of commands after the first one all the same
        with refused.refusals.refusing("OOM"):
            deployment.wait_until(is_tried_twice)

    # And answers when there is room again
    deployment.wait_until(lambda: bool(control.ping(timeout=1)))
    assert refused.worker.is_running
