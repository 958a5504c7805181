"""Two environments on one database of one broker, each with a prefix of its own."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from celery import Celery
from redis import Redis

from artifact_pipeline.domain.errors import ConfigurationError
from artifact_pipeline.domain.maintenance.pipeline_status import WorkerQueues
from artifact_pipeline.tasks.app import make_app
from artifact_pipeline.tasks.broker import Broker
from artifact_pipeline.tasks.dead_letters import count_dead_letters
from artifact_pipeline.tasks.last_dispatch import last_dispatch, note_dispatch
from artifact_pipeline.tasks.publish import broker_channel, broker_epoch, room
from artifact_pipeline.tasks.routing import CONFIGS, DISPATCH
from artifact_pipeline.tasks.turns import take_turn
from artifact_pipeline.worker.cli.listeners import ListenerCheck
from artifact_pipeline.worker.composition.producer import Producer
from artifact_pipeline.worker.diagnosis.broker import fail_fast_app
from artifact_pipeline.worker.diagnosis.consumers import databases_of, read_broker
from artifact_pipeline.worker.embedded.servers import Ministack, Valkey
from artifact_pipeline.worker.settings import BrokerSettings, ProducerSettings, load
from tests.deployments.environments import (
    Environment,
    finding_of_workers,
    flower_length,
    has_no_notice,
    wait_until,
)
from tests.integration.events import listening

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def environments(
    valkey: Valkey,
    ministack: Ministack,
    migrated_file: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Environment, Environment]]:
    """Production and staging, with a worker each."""
    with valkey.client() as client:
        client.flushall()
    with ExitStack() as stack:
        made = [
            Environment(
                tmp_path_factory.mktemp(name),
                migrated_file,
                ministack,
                Broker(url=valkey.url, prefix=f"{name}:"),
            )
            for name in ("production", "staging")
        ]
        workers = [each.worker(each.broker.prefix.strip(":")) for each in made]
        for worker in workers:
            stack.enter_context(worker)
        for each, worker in zip(made, workers, strict=True):
            worker.wait_until(partial(is_there, each))
        yield made[0], made[1]
        for each in made:
            each.engine.dispose()


@pytest.fixture
def production(environments: tuple[Environment, Environment]) -> Environment:
    return environments[0]


@pytest.fixture
def staging(environments: tuple[Environment, Environment]) -> Environment:
    return environments[1]


@pytest.fixture
def client(valkey: Valkey) -> Iterator[Redis]:
    with valkey.client() as client:
        yield client


def is_there(environment: Environment) -> bool:
    return bool(environment.app.control.ping(timeout=0.5))


def has_refused(environment: Environment) -> bool:
    return read_broker(environment.app).refused > 0


def settings_of(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment.settings.items():
        monkeypatch.setenv(name, value)


class TestWorkers:
    def test_each_takes_the_messages_of_its_own_environment(
        self, production: Environment, staging: Environment
    ) -> None:
        # Given a job with the same id in both
        both = [(each, each.config(12)) for each in (production, staging)]
        # When
        for each, artifact in both:
            each.send(artifact, f"of-{each.broker.prefix.strip(':')}")
        # Then
        for each, artifact in both:
            wait_until(partial(each.is_done, artifact))
            latest = each.latest(artifact)
            assert latest is not None
            assert latest.request_id == f"of-{each.broker.prefix.strip(':')}"

    def test_each_takes_what_an_app_without_our_settings_sends(
        self, production: Environment, staging: Environment
    ) -> None:
        # Given a Celery app of somebody else, with kombu's own option
        foreign = Celery("foreign", broker=staging.broker.url, set_as_current=False)
        foreign.conf.broker_transport_options = {"global_keyprefix": staging.broker.prefix}
        artifact = staging.config(14)
        # When
        foreign.send_task("artifacts.upload_job_config", kwargs={"job_id": 14}, queue=CONFIGS)
        # Then
        wait_until(lambda: staging.is_done(artifact))
        assert production.latest(artifact) is None

    def test_a_command_reaches_the_workers_of_its_own_environment(
        self, production: Environment, staging: Environment
    ) -> None:
        for each in (production, staging):
            own = f"{each.broker.prefix.strip(':')}@tests"
            seen: set[str] = set()

            def has_answered(seen: set[str] = seen, each: Environment = each) -> bool:
                answers: Any = each.app.control.ping(timeout=1)
                seen.update(name for answer in answers for name in answer)
                return bool(answers)

            wait_until(has_answered)
            assert seen == {own}

    def test_events_reach_those_who_listen_in_their_own_environment(
        self, production: Environment, staging: Environment
    ) -> None:
        theirs, ours = f"job-{uuid4()}", f"job-{uuid4()}"
        existing, here = staging.config(13), production.config(13)
        with listening(production.app) as log, listening(staging.app) as log_there:
            # When staging has done its task before ours begins
            staging.send(existing, theirs)
            wait_until(log_there.has_ended(theirs))
            production.send(here, ours)
            wait_until(log.has_ended(ours))
        # Then
        assert log.of(theirs) == []
        assert {event["hostname"] for event in log.all} == {"production@tests"}


class TestKeys:
    def test_every_key_has_a_prefix(
        self, production: Environment, staging: Environment, client: Redis
    ) -> None:
        # Given something of everything
        for each in (production, staging):
            with broker_channel(each.app) as channel:
                channel.client.lpush(CONFIGS, b"rubbish")
            wait_until(partial(has_refused, each))
            note_dispatch(datetime.now(UTC), each.app)
            broker_epoch(lambda: datetime.now(UTC), each.app)
            take_turn(DISPATCH, each.app)
        # Then
        keys: Any = client.keys("*")
        named = {key.decode() for key in keys}
        assert {name for name in named if not name.startswith(("production:", "staging:"))} == set()
        for own in (
            "artifacts.dead_letters",
            "artifacts.dispatched_at",
            f"artifacts.began.{DISPATCH}",
        ):
            assert {f"production:{own}", f"staging:{own}"} <= named

    def test_a_flush_is_noticed_by_its_own_environment(
        self, production: Environment, staging: Environment, client: Redis
    ) -> None:
        # Given
        before = [
            broker_epoch(lambda: datetime.now(UTC), each.app) for each in (production, staging)
        ]
        # When
        for key in client.scan_iter("staging:*"):
            client.delete(key)
        # Then
        after = [
            broker_epoch(lambda: datetime.now(UTC), each.app) for each in (production, staging)
        ]
        assert after[0] == before[0]
        assert after[1] > before[1]

    def test_a_dispatch_is_seen_in_its_own_environment(
        self, production: Environment, staging: Environment
    ) -> None:
        moment = datetime(2020, 1, 1, tzinfo=UTC)
        note_dispatch(moment, production.app)
        note_dispatch(datetime.now(UTC), staging.app)
        with broker_channel(production.app) as channel:
            assert last_dispatch(channel) == moment

    def test_a_turn_is_taken_in_its_own_environment(
        self, production: Environment, client: Redis
    ) -> None:
        client.delete(f"production:artifacts.began.{DISPATCH}")
        other = make_app(replace(production.broker, prefix="third:"))
        assert take_turn(DISPATCH, other)
        assert take_turn(DISPATCH, production.app)
        assert not take_turn(DISPATCH, production.app)
        client.delete(f"third:artifacts.began.{DISPATCH}")


class TestQueueLengths:
    """In an environment without workers, so that what is sent stays in its queue."""

    @pytest.fixture
    def lonely(self, production: Environment, client: Redis) -> Iterator[Broker]:
        broker = replace(production.broker, prefix="lonely:")
        make_app(broker).send_task(
            "artifacts.upload_job_config", kwargs={"job_id": 12}, queue=CONFIGS
        )
        yield broker
        for key in client.scan_iter("lonely:*"):
            client.delete(key)

    def test_the_dispatch_and_status_see_their_own(
        self, lonely: Broker, production: Environment
    ) -> None:
        assert read_broker(make_app(lonely)).messages[CONFIGS] == 1
        assert not room(1, make_app(lonely)).kinds >= room(1, production.app).kinds
        assert read_broker(production.app).messages[CONFIGS] == 0

    def test_flower_sees_its_own(self, lonely: Broker, production: Environment) -> None:
        assert flower_length(lonely, CONFIGS) == 1
        assert flower_length(production.broker, CONFIGS) == 0

    def test_refused_messages_are_counted_for_their_own(
        self, lonely: Broker, production: Environment
    ) -> None:
        with broker_channel(production.app) as channel:
            channel.client.lpush(CONFIGS, b"rubbish")
        wait_until(partial(has_refused, production))
        with broker_channel(make_app(lonely)) as channel:
            assert count_dead_letters(channel) == 0


class TestSettings:
    @pytest.mark.parametrize("prefix", ["staging", "staging:*:", ":", "a b:", "{a}:", "staging:x"])
    def test_a_prefix_that_could_be_taken_for_another_is_refused(
        self, staging: Environment, monkeypatch: pytest.MonkeyPatch, prefix: str
    ) -> None:
        settings_of(staging, monkeypatch)
        monkeypatch.setenv("ARTIFACTS_BROKER_PREFIX", prefix)
        said = f"^ARTIFACTS_BROKER_PREFIX: {re.escape(repr(prefix))} cannot be a prefix: use only"
        with pytest.raises(ConfigurationError, match=said):
            load(BrokerSettings)

    def test_commands_that_wait_look_at_the_workers_of_their_own_environment(
        self, staging: Environment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings_of(staging, monkeypatch)
        wait_until(lambda: has_no_notice(ListenerCheck()))
        monkeypatch.setenv("ARTIFACTS_BROKER_PREFIX", "lonely:")
        assert ListenerCheck().last_notice([CONFIGS]).startswith("no worker listens to configs: ")

    def test_an_app_with_another_prefix_is_no_producer(
        self, staging: Environment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings_of(staging, monkeypatch)
        with pytest.raises(ConfigurationError, match=r"^ARTIFACTS_BROKER_PREFIX=staging:: "):
            Producer(load(ProducerSettings), make_app(staging.broker.url))
        assert Producer(load(ProducerSettings), staging.app)


class TestWithoutPrefixes:
    """What happens where two environments share the queues."""

    def test_workers_of_another_database_are_found(
        self, production: Environment, staging: Environment
    ) -> None:
        # Given staging's workers on what production takes for its own queues
        app = fail_fast_app(staging.broker)
        # When
        found = finding_of_workers(production, app)
        # Then
        assert found.severity.name == "ERROR"
        assert found.what == "workers of another database listen to these queues: staging@tests"
        assert "ARTIFACTS_BROKER_PREFIX" in found.fix

    def test_workers_of_this_database_are_not(self, staging: Environment) -> None:
        found = finding_of_workers(staging, fail_fast_app(staging.broker))
        assert found.severity.name == "OK"

    def test_workers_of_earlier_versions_do_not_answer(self, staging: Environment) -> None:
        wait_until(lambda: bool(read_broker(staging.app).workers))
        worker = WorkerQueues(name="staging@tests", queues=[CONFIGS])
        wait_until(lambda: list(databases_of(staging.app, [worker])) == ["staging@tests"])
        assert databases_of(make_app(replace(staging.broker, prefix="third:")), [worker]) == {}
