"""The overview: what it shows, what it says when a part is away, and what it costs."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from artifact_pipeline.domain.errors import SqlUnavailableError
from artifact_pipeline.domain.maintenance.attention import find_problems
from artifact_pipeline.domain.maintenance.pipeline_status import BrokerStatus, WorkerQueues
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.worker.diagnosis.backlog import status_of
from artifact_pipeline.worker.sql.status import SqlStatus
from artifact_pipeline.worker.web.api.models.overview import Overview
from artifact_pipeline.worker.web.reads.broker import BrokerView
from tests.metrics.steps import add_batch
from tests.sql.steps import Statements
from tests.web.steps import MINUTE, UP, Client, World


def of(answers: list[dict[str, Any]], **criteria: Any) -> dict[str, Any]:
    [found] = [each for each in answers if criteria.items() <= each.items()]
    return found


def test_it_shows_the_backlog_of_each_queue_and_kind(client: Client, world: World) -> None:
    # Given
    world.rows.add(TransferState.REQUESTED, times=2, next_attempt_at=10 * MINUTE)
    world.rows.add(TransferState.RUNNING, lease_expires_at=-MINUTE, kind="job_input")
    # When
    answer = client.answer("/overview")
    # Then
    assert answer["missing"] == []
    configs = of(answer["queues"], queue="configs")
    assert (configs["due"], configs["messages"], configs["workers"]) == (2, 3, 1)
    assert configs["oldest_due_seconds"] == pytest.approx(600, abs=60)
    assert of(answer["kinds"], kind="job_input")["running"] == 1
    assert {each["code"] for each in answer["needs_hand"]} == {"no_dispatch", "stuck"}


def test_a_workspace_with_a_name_has_its_queue(client: Client, world: World) -> None:
    # Given a request that only the host-a can serve, and a message of it
    world.rows.add(TransferState.REQUESTED, next_attempt_at=MINUTE, workspace="host-a")
    strays = {"configs.host-a": 1, "batches.host-b": 2, "confgis": 3}
    status = replace(UP, dispatched_at=world.rows.now, strays=strays)
    world.broker.shown = replace(world.broker.shown, status=status)
    # When
    answer = client.answer("/overview")
    # Then
    queue = of(answer["queues"], queue="configs.host-a")
    assert (queue["due"], queue["messages"], queue["workers"]) == (1, 1, 0)
    assert of(answer["queues"], queue="configs")["due"] == 0
    assert answer["stray_queues"] == {"confgis": 3}
    found = {each["queue"]: (each["code"], each["fix"]) for each in answer["needs_hand"]}
    assert {queue: code for queue, (code, _) in found.items()} == {
        "configs.host-a": "workspace_unserved",
        "batches.host-b": "workspace_unserved",
        "confgis": "stray_queue",
    }
    assert found["configs.host-a"][1].startswith("ARTIFACTS_WORKSPACE_NAME=host-a celery ")
    # And the same as the command says
    known = world.sources.status.read()
    [of_host, *_] = find_problems(status_of(known, status, world.sources.queues))
    assert of_host.fix == found[of_host.queue][1]


@pytest.mark.parametrize(
    ("lease", "code"), [(timedelta(hours=1), "lease_expired"), (None, "stuck")]
)
def test_a_served_workspace_can_stand_still(
    client: Client, world: World, lease: timedelta | None, code: str
) -> None:
    # Given a worker that does nothing
    if lease is None:
        world.rows.add(TransferState.REQUESTED, next_attempt_at=10 * MINUTE, workspace="host-a")
    else:
        world.rows.add(TransferState.RUNNING, lease_expires_at=lease, workspace="host-a")
    workers = [WorkerQueues(name="a@host", queues=["configs.host-a", "upkeep"])]
    status = BrokerStatus(workers=workers, dispatched_at=world.rows.now)
    world.broker.shown = BrokerView(status=status, workers=[])
    # When
    answer = client.answer("/overview")
    # Then
    [problem] = answer["needs_hand"]
    assert (problem["code"], problem["queue"]) == (code, "configs.host-a")


def test_a_queue_lists_the_transfers_of_its_workspace(client: Client, world: World) -> None:
    # Given
    batch = add_batch(world.rows, "running")
    names = {None: "configs", "host-a": "configs.host-a", "host-b": "configs.host-b"}
    for name in names:
        world.rows.add(TransferState.REQUESTED, workspace=name)
        world.rows.add(TransferState.REQUESTED, workspace=name, batch_id=batch)
    # When
    found = {
        queue: [each["queue"] for each in client.answer("/transfers", queue=queue)["transfers"]]
        for each in names.values()
        for queue in (each, each.replace("configs", "batches"))
    }
    # Then
    assert found == {queue: [queue] for queue in found}
    assert len(found) == 6


class TestWhenAPartIsAway:
    def test_without_the_broker_the_database_is_shown(self, client: Client, world: World) -> None:
        # Given
        world.rows.add(TransferState.REQUESTED)
        world.broker.shown = BrokerView(why="the broker does not answer", is_away=True)
        # When
        answer = client.answer("/overview")
        # Then
        assert answer["missing"] == [
            {"part": "broker", "why": "the broker does not answer", "is_awaited": False}
        ]
        assert (answer["workers"], answer["dead_letters"]) == (None, None)
        assert of(answer["queues"], queue="configs")["due"] == 1
        assert [each["code"] for each in answer["needs_hand"]] == ["broker_away"]

    def test_a_broker_that_was_not_asked_yet_is_no_problem(
        self, client: Client, world: World
    ) -> None:
        # Given
        world.broker.shown = BrokerView(why="it is being asked")
        # When
        answer = client.answer("/overview")
        # Then
        [missing] = answer["missing"]
        assert (missing["part"], missing["is_awaited"]) == ("broker", True)
        assert answer["needs_hand"] == []

    def test_the_first_look_waits_for_the_broker(self, client: Client, world: World) -> None:
        # Given it answers while the first one looks
        world.broker.asked_first = 2
        # When
        answer = client.answer("/overview")
        # Then
        assert (answer["missing"], of(answer["queues"], queue="configs")["messages"]) == ([], 3)

    def test_workers_that_have_not_answered_yet_are_no_problem(
        self, client: Client, world: World
    ) -> None:
        # Given
        world.rows.add(TransferState.REQUESTED)
        world.broker.shown = BrokerView(status=BrokerStatus(messages={"configs": 3}))
        # When
        answer = client.answer("/overview")
        # Then
        [missing] = answer["missing"]
        assert (missing["part"], missing["is_awaited"]) == ("workers", True)
        assert answer["needs_hand"] == []

    def test_without_the_database_the_broker_is_shown(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given
        def read(_self: SqlStatus) -> None:
            raise SqlUnavailableError("it is away: postgresql://user:secret@host/database")

        monkeypatch.setattr(SqlStatus, "read", read)
        # When
        answer = client.answer("/overview")
        # Then
        assert answer["missing"] == [
            {"part": "database", "why": "it is away: <url>", "is_awaited": False}
        ]
        assert of(answer["queues"], queue="configs")["messages"] == 3
        assert [worker["name"] for worker in answer["workers"]] == ["one@host"]


def test_many_who_look_at_once_cost_one_read(world: World) -> None:
    # Given that all look within one moment, however busy this machine is
    overviews = world.service.overviews
    overviews._looks._clock = lambda: 0.0
    statements = Statements(world.sources.engine)
    made: list[Overview] = []

    def page(overview: Overview) -> str:
        made.append(overview)
        return str(overview.at)

    async def look_once() -> int:
        await overviews.get()
        return len(statements.seen)

    async def look_often() -> int:
        for changes in (overviews.changes, partial(overviews.changes, "page", page)):
            texts = await asyncio.gather(*(anext(changes()) for _ in range(200)))
            assert len(set(texts)) == 1
        return len(statements.seen)

    world.read_history()
    overviews._look()
    before = len(statements.seen)
    # When
    of_one = asyncio.run(look_once())
    overviews._looks._known = None
    of_all = asyncio.run(look_often())
    # Then
    assert of_all - of_one == of_one - before
    # And a page is made once for all
    assert len(made) == 1


def test_the_number_of_statements_does_not_grow(world: World) -> None:
    # Given
    overviews = world.service.overviews
    world.read_history()
    overviews._look()
    statements, counts = Statements(world.sources.engine), []
    # When
    for times in (1, 1_000):
        world.rows.add(TransferState.REQUESTED, times=times)
        overviews._look()
        counts.append(len(statements.seen))
        statements.seen.clear()
    # Then: the status, and the hours that are not over
    assert all(count <= 13 for count in counts)


def test_the_changes_end_with_the_server(world: World) -> None:
    async def watch() -> int:
        seen = 0
        async for _ in world.service.overviews.changes(every_seconds=500):
            seen += 1
            # While the changes wait for the next ones
            asyncio.get_running_loop().call_soon(world.service.stop)
        return seen

    assert asyncio.run(watch()) == 1


def test_an_event_is_json_whatever_a_name_has(client: Client, world: World) -> None:
    # Given a queue whose name has ends of lines that end none in a stream of events
    name = "q\u2028\u0085\f\r\nx"
    world.broker.shown = BrokerView(status=BrokerStatus(messages={}, strays={name: 1}, workers=[]))
    world.service.stop()
    # When
    event = client.get("/events").text
    # Then
    [_, line] = event.removesuffix("\n\n").split("\n")
    assert json.loads(line.removeprefix("data: "))["stray_queues"] == {name: 1}
