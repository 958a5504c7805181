"""What is known of the broker, and how it is asked."""

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


def answer(_app: Celery, *, with_strays: bool = False) -> BrokerStatus:
    return BrokerStatus(messages={"configs": 1}, strays={"confgis": 2} if with_strays else {})


def refuse(_app: Celery, *, with_strays: bool = False) -> BrokerStatus:
    raise BrokerUnavailableError(f"no answer of redis://:hunter2@host/0, {with_strays}")


def test_before_the_first_answer_nothing_is_known(watch: BrokerWatch) -> None:
    view = watch.view()
    assert (view.status, view.workers, view.is_away) == (None, None, False)


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
    monkeypatch.setattr(watch._watch, "ask", lambda: None)
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
    threads = list(watch._asking)
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
