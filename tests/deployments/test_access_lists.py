"""Every role with the rights that docs/operations/broker.md gives it in Redis, and no other."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from celery import Celery
from kombu.transport import redis
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.batches import BatchState
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.tasks.app import producer_app
from artifact_pipeline.tasks.dead_letters import (
    count_dead_letters,
    dead_letters,
    discard_dead_letters,
)
from artifact_pipeline.tasks.publish import broker_channel
from artifact_pipeline.tasks.routing import CONFIGS
from artifact_pipeline.worker.dev.stack import FLOWER_CONFIG
from artifact_pipeline.worker.diagnosis.broker import examine_broker, fail_fast_app, reach_broker
from artifact_pipeline.worker.diagnosis.consumers import read_broker
from artifact_pipeline.worker.diagnosis.findings import Severity
from artifact_pipeline.worker.embedded.servers import accepts, kept_port
from artifact_pipeline.worker.messages.held_messages import TAKEN
from artifact_pipeline.worker.messages.redis_channel import take_in_messages_only
from artifact_pipeline.worker.sql.transfers.requests import request_in, request_upload
from tests.deployments.deployed import RedisStack, a_config
from tests.deployments.redis_server import RedisServer
from tests.image import ROOT
from tests.integration.deployment import Deployment
from tests.integration.envelopes import envelope
from tests.sql.batch_steps import History, config_of

pytestmark = pytest.mark.processes

_LINE = re.compile(r"^    user (\w+) on >PASSWORD (.*)$", re.MULTILINE)
RULES = dict(_LINE.findall((ROOT / "docs/operations/broker.md").read_text()))
BODY = b'[[], {"job_id": %d}, {}]'


class Guarded(Deployment):
    """A deployment in which each role has a user of its own."""

    def __init__(self, stack: RedisStack, server: RedisServer) -> None:
        super().__init__(stack)
        self.server = server
        self.foreign = Celery("foreign", broker=self.url("producer"), set_as_current=False)
        self.foreign.conf.task_ignore_result = True

    def wait_until(self, condition: Callable[[], bool], pause_seconds: float = 0.1) -> None:
        """Wait, until something is denied at most."""

        def allowed() -> bool:
            assert self.denials() == []
            return condition()

        super().wait_until(allowed, pause_seconds)

    def url(self, role: str) -> str:
        return self.server.url_of(f"{role}:secret@")

    def app(self, role: str) -> Celery:
        return fail_fast_app(self.url(role))

    def denials(self) -> list[str]:
        """Return what Redis has denied to the roles, and forget it."""
        with self.server.client() as client:
            admin: Any = client
            entries = admin.acl_log()
            admin.acl_log_reset()
        return [f"{e['username']}: {e['reason']} {e['object']} {e['context']}" for e in entries]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """Worker and beat, each as its user."""
    directory = tmp_path_factory.mktemp("guarded")
    users = [("user", role, "on", ">secret", rules) for role, rules in RULES.items()]
    server = RedisServer(directory / "redis", *users)
    with RedisStack(directory, server) as stack:
        guarded = Guarded(stack, server)
        stack.start_worker(
            *("--concurrency", "1"), environment={"ARTIFACTS_BROKER_URL": guarded.url("worker")}
        )
        stack.start_celery(
            *("beat", "artifact_pipeline.worker.control", "beat"),
            environment={"ARTIFACTS_BROKER_URL": guarded.url("beat")},
        )
        yield guarded


@pytest.fixture(autouse=True)
def _no_producer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("artifact_pipeline.tasks.app._producer", None)


def test_every_role_has_a_line() -> None:
    assert set(RULES) == {"producer", "worker", "beat", "flower", "operator"}


def test_an_upload_goes_the_whole_way(guarded: Guarded) -> None:
    # When a producer asks, and when somebody sends a bare message
    requested, bare = a_config(guarded), a_config(guarded)
    app = producer_app(guarded.url("producer"))
    with Session(guarded.stack.engine) as session, session.begin():
        request_in(session, requested, Direction.UPLOAD, app)
    guarded.send(bare)
    # Then
    guarded.stored(requested)
    guarded.stored(bare)
    assert guarded.denials() == []


def test_the_dispatch_that_beat_asks_for_sends_what_waits(guarded: Guarded) -> None:
    # Given a request without a message
    artifact = a_config(guarded)
    with Session(guarded.stack.engine) as session, session.begin():
        request_upload(session, ArtifactKind.JOB_CONFIG, artifact.job_id, publish=False)
    # When beat and a worker run / Then
    guarded.stored(artifact)
    assert guarded.denials() == []


def test_a_batch_is_done(guarded: Guarded) -> None:
    # Given
    history = History(guarded.stack.engine, guarded.app("operator"))
    job_id = guarded.new_id()
    history.failed_configs(job_id)
    guarded.write(config_of(job_id))
    # When
    batch = history.started()
    # Then
    guarded.wait_until(lambda: history.batches.get(batch.id).state is BatchState.DONE)
    assert guarded.denials() == []


def hold(guarded: Guarded, noted: Artifact, taken: Artifact) -> None:
    """Have two dead channels hold messages."""
    with guarded.server.client() as client:
        admin: Any = client
        message = envelope(BODY % noted.job_id, "noted")
        admin.hset("unacked", "dead:1", json.dumps([message, CONFIGS, CONFIGS]))
        admin.zadd("unacked_index", {"dead:1": 2**40})
        element = json.dumps(envelope(BODY % taken.job_id, "taken"))
        admin.hset(TAKEN, "dead:2", f"{len(CONFIGS)}:{CONFIGS}{element}")


def test_messages_of_dead_workers_are_delivered_again(guarded: Guarded) -> None:
    # Given what two dead channels held, before and after they had noted it
    noted, taken = (a_config(guarded) for _ in range(2))
    hold(guarded, noted, taken)
    # When a worker looks / Then
    guarded.stored(noted)
    guarded.stored(taken)
    assert guarded.denials() == []


def test_an_operator_sees_and_controls_the_workers(guarded: Guarded) -> None:
    # Given a message that a worker refuses
    app = guarded.app("operator")
    with broker_channel(app) as channel:
        before = count_dead_letters(channel)
        with guarded.server.client() as client:
            client.lpush(CONFIGS, b"no message")
        guarded.wait_until(lambda: count_dead_letters(channel) > before)
        # When
        letters = dead_letters(channel)
        discarded = discard_dead_letters(channel, {letters[0].id})
    control: Any = app.control
    inspect = control.inspect(timeout=3)
    # Then
    assert discarded == 1
    assert inspect.ping()
    assert inspect.active_queues()
    assert control.revoke("an id", reply=True, timeout=3)
    assert read_broker(app, [CONFIGS]).listening_to(CONFIGS)
    reach_broker(app)
    assert [each for each in examine_broker(app) if each.severity is not Severity.OK] == []
    assert guarded.denials() == []


def test_an_operator_restores_messages_of_dead_workers(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given the channels of `artifacts messages restore`
    monkeypatch.setattr(redis.Transport, "Channel", redis.Channel)  # put back afterwards
    take_in_messages_only()
    app = guarded.app("operator")
    noted, taken = (a_config(guarded) for _ in range(2))

    def is_restored() -> bool:
        # A worker can be faster: hold them again.
        hold(guarded, noted, taken)
        list(examine_broker(app))
        with broker_channel(app) as channel:
            return bool(channel.requeue_dead() == 2)

    # When / Then
    guarded.wait_until(is_restored)
    guarded.stored(noted)
    guarded.stored(taken)
    assert guarded.denials() == []


def test_flower_shows_workers_and_queues(guarded: Guarded) -> None:
    # Given
    port = kept_port(guarded)
    flower = guarded.stack.start_celery(
        *("flower", "artifact_pipeline.worker.control", "flower", f"--conf={FLOWER_CONFIG}"),
        environment={
            "ARTIFACTS_BROKER_URL": guarded.url("flower"),
            "FLOWER_BASIC_AUTH": "me:secret",
            "FLOWER_PORT": str(port),
        },
    )
    flower.wait_until(lambda: accepts(port), seconds=60)

    def asked(path: str) -> Any:
        return requests.get(f"http://me:secret@127.0.0.1:{port}{path}", timeout=30).json()

    # When / Then
    lengths = {each["name"] for each in asked("/api/queues/length")["active_queues"]}
    assert CONFIGS in lengths
    guarded.wait_until(lambda: bool(asked("/api/workers?refresh=1")), pause_seconds=0.5)
    # And tasks, by their events
    artifact = a_config(guarded)
    request_id = guarded.send(artifact)
    guarded.wait_until(lambda: request_id in asked("/api/tasks"), pause_seconds=0.2)
    assert guarded.denials() == []


def test_doctor_says_what_a_user_may_not_see(guarded: Guarded) -> None:
    # When a user examines who may not ask INFO, TIME, for what workers hold, or for a write
    findings = {each.check: each for each in examine_broker(guarded.app("producer"))}
    guarded.denials()
    # Then
    assert findings["broker"].severity is Severity.OK
    for check, command in (
        ("broker configuration", "info"),
        ("broker clock", "time"),
        ("messages of dead workers", "zrange"),
    ):
        assert findings[check].severity is Severity.WARNING
        assert command in findings[check].what
        assert f"+{command}" in findings[check].fix
    for check in ("broker writes", "broker scripts"):
        assert findings[check].severity is Severity.ERROR
