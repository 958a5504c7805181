"""What is known of the broker, and how it is asked."""

from collections.abc import Callable, Collection
from threading import Event

import pytest
from celery import Celery

from artifact_pipeline.domain.errors import BrokerUnavailableError
from artifact_pipeline.domain.maintenance.pipeline_status import BrokerStatus
from artifact_pipeline.worker.diagnosis.broker import fail_fast_app
from artifact_pipeline.worker.embedded.servers import Valkey
from artifact_pipeline.worker.web.reads import broker as module
from artifact_pipeline.worker.web.reads.broker import BrokerWatch
from tests.web.steps import NO_BROKER


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> BrokerWatch:
    """One that asks only when a test does."""
    monkeypatch.setattr(BrokerWatch, "_start", lambda _self: None)
    return BrokerWatch(fail_fast_app(NO_BROKER))


def answer(
    _app: Celery, _named: Collection[str] = (), *, with_strays: bool = False
) -> BrokerStatus:
    return BrokerStatus(messages={"configs": 1}, strays={"confgis": 2} if with_strays else {})


def refuse(
    _app: Celery, _named: Collection[str] = (), *, with_strays: bool = False
) -> BrokerStatus:
    raise BrokerUnavailableError(f"no answer of redis://:hunter2@host/0, {with_strays}")


def test_before_the_first_answer_nothing_is_known(watch: BrokerWatch) -> None:
    view = watch.view()
    assert (view.status, view.workers, view.is_away, view.is_awaited) == (None, None, False, True)


def test_a_broker_that_is_away_is_named_without_its_password(
    watch: BrokerWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "read_queues", refuse)
    watch.ask_queues()
    view = watch.view()
    assert (view.status, view.is_away) == (None, True)
    assert "no answer of" in view.why
    assert "hunter2" not in view.why


def test_the_workers_are_known_later_than_the_queues(
    watch: BrokerWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setattr(module, "read_queues", answer)
    watch.ask_queues()
    first = watch.view()
    # When
    watch._watch.note({"one@host": [{"name": "configs"}]}, {}, {"one@host": [{}]})
    monkeypatch.setattr(watch._watch, "ask", lambda: True)
    watch.ask_workers()
    second = watch.view()
    # Then
    assert first.status is not None
    assert (first.status.messages, first.workers) == ({"configs": 1}, None)
    assert second.status is not None
    assert second.workers is not None
    assert (second.status.listening_to("configs"), second.status.strays) == (1, {"confgis": 2})
    assert [(each.name, each.tasks) for each in second.workers] == [("one@host", 1)]


def test_it_is_asked_in_the_background(broker: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    monkeypatch.setattr("artifact_pipeline.worker.diagnosis.consumers._ANSWER_SECONDS", 0.05)
    watch = BrokerWatch(fail_fast_app(broker.url))
    # When
    watch.view()
    threads = list(watch._asking.values())
    while watch.view().workers is None:
        threads[0].join(0.05)
    # Then
    status = watch.view().status
    assert status is not None
    assert set(status.messages) > {"configs", "results"}
    watch.close()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


def test_it_asks_no_more_once_nobody_wants_to_know(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a minute passes at each look at the clock
    monkeypatch.setattr(module, "read_queues", answer)
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    moments = iter(range(0, 100_000, 61))
    watch = BrokerWatch(fail_fast_app(NO_BROKER), lambda: float(next(moments)))
    # When
    watch._repeat(watch.ask_queues, 1.0)
    # Then it has ended
    assert not watch._asking


class TestAfterAPause:
    """Nobody has looked for a while: what was known before says nothing about now."""

    def test_an_old_answer_is_not_shown(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # Given an answer, with a worker
        watch, now = paused(monkeypatch)
        assert watch.view().workers
        # When
        now[0] += 130
        view = watch.view()
        # Then it is neither current, nor an alarm
        assert (view.status, view.workers, view.is_awaited) == (None, None, True)

    def test_the_workers_are_unknown_until_they_are_asked(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given
        watch, now = paused(monkeypatch)
        now[0] += 130
        # When the broker has answered, and no worker yet
        watch.ask_queues()
        view = watch.view()
        # Then
        assert view.status is not None
        assert (view.workers, view.awaits_workers) == (None, True)

    def test_a_worker_that_misses_the_first_question_is_asked_again(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given
        watch, now = paused(monkeypatch)
        now[0] += 130
        questions = []

        def ask() -> bool:
            questions.append(1)
            if len(questions) == 2:
                watch._watch.note({"one@host": [{"name": "configs"}]}, {}, {})
            return True

        monkeypatch.setattr(watch._watch, "ask", ask)
        # When
        watch.ask_queues()
        watch.ask_workers()
        # Then
        assert [each.is_up for each in watch.view().workers or ()] == [True]

    def test_workers_that_could_not_be_asked_are_not_missing(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given the broker was away for long, while someone looked
        watch, now = paused(monkeypatch)
        now[0] += 130
        monkeypatch.setattr(watch._watch, "ask", lambda: False)
        watch.ask_workers()
        # When it is back
        watch.ask_queues()
        # Then
        assert watch.view().awaits_workers

    def test_each_question_is_taken_up_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # Given the thread of the queues has ended, and that of the workers still waits
        started, is_waiting = [], Event()

        def repeat(_self: BrokerWatch, _ask: Callable[[], None], every: float) -> None:
            started.append(every)
            if every == module._WORKERS_EVERY:
                is_waiting.wait(30)

        monkeypatch.setattr(BrokerWatch, "_repeat", repeat)
        watch = BrokerWatch(fail_fast_app(NO_BROKER))
        watch.view()
        watch._asking["queues"].join(30)
        # When
        watch.view()
        watch._asking["queues"].join(30)
        # Then
        is_waiting.set()
        assert started.count(module._QUEUES_EVERY) == 2
        assert started.count(module._WORKERS_EVERY) == 1


def paused(monkeypatch: pytest.MonkeyPatch) -> tuple[BrokerWatch, list[float]]:
    """A watch to which the broker and a worker have answered, and its clock."""
    now = [1000.0]
    monkeypatch.setattr(BrokerWatch, "_start", lambda _self: None)
    monkeypatch.setattr(module, "read_queues", answer)
    watch = BrokerWatch(fail_fast_app(NO_BROKER), lambda: now[0])
    monkeypatch.setattr(watch._watch, "ask", lambda: True)
    watch._watch.note({"one@host": [{"name": "configs"}]}, {}, {})
    watch.ask_queues()
    watch.ask_workers()
    return watch, now
