"""RabbitMQ with quorum queues, by TLS; `make brokers` runs it without."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from artifact_pipeline.domain.errors import BrokerRefusedError, BrokerUnavailableError
from artifact_pipeline.domain.fakes import InMemoryArtifacts, InMemoryJobs, InMemoryTransfers
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, Transfer
from artifact_pipeline.tasks.app import make_app
from artifact_pipeline.tasks.publish import publish
from artifact_pipeline.tasks.routing import CONFIGS, RESULTS
from artifact_pipeline.worker.diagnosis.broker import examine_broker, fail_fast_app, reach_broker
from artifact_pipeline.worker.diagnosis.findings import Severity
from artifact_pipeline.worker.messages.amqp_channel import Channel
from artifact_pipeline.worker.messages.unanswered_queues import UnansweredQueues
from tests.brokers.scenario import assert_commands_answer, scene
from tests.cli.commands import Command
from tests.deployments.rabbitmq_server import RabbitMq
from tests.deployments.tls import Authority
from tests.faults.brokers import Place, RabbitMqBroker

pytestmark = pytest.mark.processes


def test_a_worker_follows_a_cut_and_refuses_hostile_messages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, artifacts: Command
) -> None:
    # Given a worker that verifies certificates, and messages that would harm a careless one
    broker = RabbitMqBroker(Place(tmp_path / "broker"), Authority(tmp_path, "private"))
    with broker, scene(broker, tmp_path / "stack", monkeypatch) as on_stage:
        with pytest.raises(BrokerRefusedError, match=r"^ARTIFACTS_BROKER_CA_FILE: [^\n]*$"):
            reach_broker(fail_fast_app(broker.broker.url))
        on_stage.upload()
        on_stage.send_hostile_messages()
        # When it has looked at all of them, and the connection is cut
        on_stage.deployed.wait_until(on_stage.is_drained)
        broker.proxy.cut()
        # Then it works again, and has done nothing else
        on_stage.upload()
        on_stage.assert_unharmed()
        assert_commands_answer(artifacts)
        letters = artifacts("messages", "list", "--json").json
        assert {"configs", "results"} <= {letter["queue"] for letter in letters}
        assert artifacts("messages", "discard", "--all").status == 0
        assert artifacts("messages", "list", "--json").json == []


def test_a_queue_that_has_lost_its_log_is_left_out_and_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a broker that was killed before the name of a new queue was on its disk
    with RabbitMq(tmp_path / "broker") as server:
        app = make_app(server.broker)
        app.amqp.queues.select([CONFIGS, RESULTS])
        _declare(app, RESULTS)
        server.kill()
        [names] = server.log.parent.glob("mnesia/*/quorum/*/names.dets")
        names.unlink()
        server.start()
        _declare(app, CONFIGS)
        # A publish to it ends soon, and leaves no answer to the next one
        with pytest.raises(BrokerUnavailableError) as silent:
            publish([upload_of(ArtifactKind.RUN_RESULTS)], app)
        operational = silent.value.__cause__
        assert operational is not None
        assert isinstance(operational.__cause__, TimeoutError)
        publish([upload_of(ArtifactKind.RUN_CONFIG)], app)
        # And doctor names the queue
        findings = examine_broker(fail_fast_app(server.broker), server.broker)
        assert [each.check for each in findings if each.severity is Severity.ERROR] == [
            "queue results"
        ]
        unanswered = UnansweredQueues(app, patience=0)
        monkeypatch.setattr(Channel, "unanswered", unanswered, raising=False)
        received: list[Any] = []
        # When a worker consumes it, and consumes all its queues again after it has reconnected
        stuck: Any = app.connection_for_read(heartbeat=app.conf.broker_heartbeat).connection
        with pytest.raises(TimeoutError):
            # Heartbeats of the broker come while it waits
            _channel(stuck).basic_consume(RESULTS, callback=received.append)
        stuck.collect()
        with server.connect() as connection:
            channel = _channel(connection)
            for queue in (CONFIGS, RESULTS):
                channel.basic_consume(queue, callback=received.append)

            def has_received(count: int) -> bool:
                unanswered.resume()
                with suppress(TimeoutError):
                    connection.drain_events(timeout=0.1)
                return len(received) == count

            # Then the other queue is consumed at once, and this one when it was replaced
            server.wait_until(lambda: has_received(1))
            server.wait_until(lambda: has_received(1) and _is_consumed(server, RESULTS), 60)
            _send(app, RESULTS)
            server.wait_until(lambda: has_received(2))


def upload_of(kind: ArtifactKind) -> Transfer:
    transfers = InMemoryTransfers(InMemoryArtifacts(InMemoryJobs()))
    return transfers.request(Artifact(kind, 12, 4), Direction.UPLOAD, "a")


def _declare(app: Any, queue: str) -> None:
    with app.connection_for_write() as connection:
        app.amqp.queues[queue](connection.default_channel).declare()


def _channel(connection: Any) -> Channel:
    connection.Channel = Channel
    channel: Channel = connection.channel()
    return channel


def _send(app: Any, queue: str) -> None:
    app.send_task("artifacts.upload_job_config", kwargs={"job_id": 1}, queue=queue)


def _is_consumed(server: RabbitMq, queue: str) -> bool:
    """Return whether a queue has a consumer; it is not there while it is being replaced."""
    seen = server.look_at(queue)
    return seen is not None and seen.consumer_count > 0
