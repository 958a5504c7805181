"""Messages that no producer of ours sends, and what a worker makes of them."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.tasks.dead_letters import dead_letters
from artifact_pipeline.tasks.publish import broker_channel
from artifact_pipeline.tasks.routing import CONFIGS
from artifact_pipeline.worker.embedded.process import ManagedProcess
from artifact_pipeline.worker.embedded.stack import EmbeddedStack
from tests.integration.deployment import Deployment
from tests.integration.envelopes import KNOWN, SECRET, envelope
from tests.integration.events import listening

CREATED_AT = datetime(2025, 10, 23, 21, 15, 0, tzinfo=UTC)


class Attacked(Deployment):
    worker: ManagedProcess

    def plant(self, body: str, task: str = KNOWN, **headers: Any) -> str:
        """Put a message into the queue as somebody with access to the broker could."""
        request_id = str(uuid4())
        message = envelope(body.encode(), request_id)
        message["headers"] |= {"task": task, **headers}
        self.push(json.dumps(message).encode())
        return request_id

    def push(self, element: bytes) -> None:
        with self.stack.broker.client() as broker:
            broker.lpush(CONFIGS, element)

    def still_works(self) -> None:
        """What was planted before has been looked at, and the next upload arrives."""
        artifact = Artifact(ArtifactKind.JOB_CONFIG, self.job(CREATED_AT))
        self.write(artifact)
        self.send(artifact)
        self.stored(artifact)
        assert self.worker.is_running

    def log(self) -> str:
        return self.worker.log.read_text()

    def children(self) -> list[psutil.Process]:
        """The processes that run the tasks."""
        return psutil.Process(self.worker.pid).children()

    def holds_nothing(self) -> bool:
        with self.stack.broker.client() as broker:
            return not broker.exists("unacked", "unacked_index")


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    with EmbeddedStack(tmp_path_factory.mktemp("hostile")) as stack:
        deployment = Attacked(stack)
        deployment.worker = stack.start_worker("--concurrency", "2")
        yield deployment


@pytest.mark.parametrize(
    "body",
    [
        *("[1]", "[]", "{}", "null", "12", '"text"', "[[], {}]", "[1, 2, 3]", "[[], [], {}]"),
        # Another id than the one that was looked at.
        '[[], {}, {"id": [1]}]',
    ],
)
def test_a_body_of_another_shape_does_not_stop_the_worker(attacked: Attacked, body: str) -> None:
    refused = attacked.log().count("for its body")
    attacked.plant(body)
    attacked.still_works()
    assert attacked.log().count("for its body") == refused + 1


@pytest.mark.parametrize("name", ["callbacks", "errbacks", "chain", "chord"])
def test_links_are_ignored(attacked: Attacked, name: str) -> None:
    # Given another artifact that a message asks for afterwards, whether it succeeds or fails
    linked = Artifact(ArtifactKind.JOB_CONFIG, attacked.job(CREATED_AT))
    attacked.write(linked)
    link = {"task": KNOWN, "args": [], "kwargs": {"job_id": linked.job_id}, "options": {}}
    embed = {name: link if name == "chord" else [link]}
    artifact = Artifact(ArtifactKind.JOB_CONFIG, attacked.job(CREATED_AT))
    attacked.write(artifact)

    # When both come
    attacked.plant(json.dumps([[], {"job_id": artifact.job_id}, embed]))
    attacked.plant(json.dumps([[], {"job_id": 0}, embed]))

    # Then the upload is done, and nothing else
    attacked.stored(artifact)
    attacked.still_works()
    assert attacked.count_transfers(linked.job_id) == 0


def test_what_cannot_be_read_is_refused_without_being_quoted(attacked: Attacked) -> None:
    # Given messages that are no JSON, no messages, or for a task that nobody knows
    attacked.plant(f"not json {SECRET}")
    attacked.push(f"no envelope {SECRET}".encode())
    attacked.plant(json.dumps([[SECRET], {"url": SECRET}, {}]), task="somebody.elses")
    attacked.plant("[[], {}, {}]", task=SECRET)
    attacked.plant(json.dumps([[], {SECRET: SECRET, "job_id": SECRET}, {}]))

    # When the worker has looked at them
    attacked.still_works()

    # Then its log says that it refused them, and repeats nothing of what was in them
    log = attacked.log()
    assert "refused what lay in the queue configs, for its body" in log
    assert "refused a message for an unknown task" in log
    assert "refused what lay in the queue configs, for its JSON" in log
    assert "hunter2" not in log
    assert "X-Amz-Signature" not in log


def test_what_is_refused_is_kept(attacked: Attacked) -> None:
    # Given rubbish, a task that nobody knows, and ids as text
    attacked.push(b"rubbish")
    unknown = attacked.plant('[[], {"job_id": 12}, {}]', task="artifacts.upload_job_confg")
    wrong = attacked.plant('[[], {"job_id": "12"}, {}]')
    # When the worker has looked at them
    attacked.still_works()
    # Then each is noted, with what could be read of it
    with broker_channel(attacked.foreign) as channel:
        kept = dead_letters(channel, 3)
    found = {letter.request_id: letter for letter in kept}
    assert found[None].reason == "wrong JSON"
    assert (found[unknown].reason, found[unknown].job_id) == ("an unknown task", 12)
    assert found[unknown].task == "artifacts.upload_job_confg"
    assert found[wrong].reason.startswith("job_id: ")
    assert {letter.queue for letter in kept} == {CONFIGS}


def test_a_task_id_that_no_column_holds_is_refused(attacked: Attacked) -> None:
    artifact = Artifact(ArtifactKind.JOB_CONFIG, attacked.job(CREATED_AT))
    attacked.send(artifact, "x" * 300)
    attacked.still_works()
    assert attacked.count_transfers(artifact.job_id) == 0
    assert "refused what lay in the queue configs, for its headers.id" in attacked.log()


@pytest.mark.parametrize(
    "element",
    [
        *(b"", b"\xff\x00", b"text", b"null", b"12", b"[1]", b"{}", b"[" * 5_000),
        b'{"__type__": "uuid", "__value__": {}}',
        b'{"body": "a", "properties": {}, "headers": null}',
    ],
    ids=repr,
)
def test_what_is_no_message_is_dropped(attacked: Attacked, element: bytes) -> None:
    refused = attacked.log().count("refused what lay in the queue")
    attacked.push(element)
    attacked.still_works()
    assert attacked.log().count("refused what lay in the queue") == refused + 1
    attacked.wait_until(attacked.holds_nothing)


def test_what_is_no_message_does_not_deafen_a_worker_at_work(attacked: Attacked) -> None:
    # Given a task that takes its time
    attacked.still_works()
    refused = attacked.log().count("refused what lay in the queue")
    children = attacked.children()
    for child in children:
        child.suspend()
    try:
        attacked.plant("[[], {}, {}]")
        # When what is no message comes meanwhile
        attacked.push(b"rubbish")
        attacked.wait_until(
            lambda: attacked.log().count("refused what lay in the queue") == refused + 1
        )
    finally:
        for child in children:
            child.resume()
    # Then the worker goes on, with the same children
    attacked.still_works()
    assert attacked.children() == children


def test_events_repeat_ids_and_nothing_else_of_the_arguments(attacked: Attacked) -> None:
    # Given messages whose headers tell of arguments and names as they like
    attacked.still_works()
    claimed = {"argsrepr": SECRET, "kwargsrepr": SECRET, "shadow": SECRET, "origin": SECRET}
    with listening(attacked.foreign) as events:
        # When their bodies have an id, and more than an id
        plain = attacked.plant('[[], {"job_id": 2147483647}, {}]', **claimed)
        wrong = attacked.plant(json.dumps([[7, SECRET], {"job_id": 8, SECRET: 9}, {}]), **claimed)
        attacked.wait_until(events.has_ended(plain, wrong))

    # Then the events have the ids
    received = [events.of(request_id)[0] for request_id in (plain, wrong)]
    assert [event["kwargs"] for event in received] == ["{'job_id': 2147483647}", "{'job_id': 8}"]
    assert [event["args"] for event in received] == ["()", "(7,)"]
    assert {event["name"] for event in received} == {KNOWN}
    assert "hunter2" not in str([events.of(plain), events.of(wrong)])


def test_a_message_says_nothing_about_its_time_limit(attacked: Attacked) -> None:
    # Given an artifact, and a message that leaves its task no time
    artifact = Artifact(ArtifactKind.JOB_CONFIG, attacked.job(CREATED_AT))
    attacked.write(artifact)
    body = json.dumps([[], {"job_id": artifact.job_id}, {}])
    # When a worker takes it, then it has its usual time
    attacked.plant(body, timelimit=[1e-9, 1e-9])
    attacked.stored(artifact)
    assert "time limit" not in attacked.log()


def test_a_bare_message_outlives_a_database_that_is_away(tmp_path: Path) -> None:
    # Given a message of which SQL does not know yet, and a database that answers nobody since the
    # worker has started
    with EmbeddedStack(tmp_path) as stack:
        deployment = Deployment(stack)
        deployment.job(CREATED_AT, job_id=12)
        worker = stack.start_worker("--concurrency", "1")
        deployment.wait_until(lambda: " ready." in worker.log.read_text())
        database, away = tmp_path / "artifacts.db", tmp_path / "away.db"
        stack.engine.dispose()
        database.rename(away)
        database.mkdir()
        deployment.write(Artifact(ArtifactKind.JOB_CONFIG, 12))
        deployment.send(Artifact(ArtifactKind.JOB_CONFIG, 12))
        deployment.wait_until(lambda: "retry: Retry in" in worker.log.read_text())

        # When the database is there
        database.rmdir()
        away.rename(database)

        # Then the message comes back, and the artifact is stored
        deployment.stored(Artifact(ArtifactKind.JOB_CONFIG, 12))
