"""Which workers have answered, and for how long that counts."""

from threading import Event, Thread

import pytest
from celery import Celery

from artifact_pipeline.worker.metrics import workers as module
from artifact_pipeline.worker.metrics.workers import WorkerWatch
from tests.metrics.steps import answer


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_a_worker_that_no_longer_answers_is_down_and_later_forgotten(app: Celery) -> None:
    # Given
    clock = Clock()
    workers = WorkerWatch(app, clock)
    answer(workers, "results@a", "results")
    answer(workers, "configs@a", "configs")
    up = [[(each.name, each.is_up) for each in workers.workers()]]
    # When one of them goes on answering
    for seconds in (50, 11, 590, 20):
        clock.now += seconds
        answer(workers, "configs@a", "configs")
        up.append([(each.name, each.is_up) for each in workers.workers()])
    # Then
    both, alone = ("configs@a", True), ("results@a", True)
    down = ("results@a", False)
    assert up == [[both, alone], [both, alone], [both, down], [both, down], [both]]


@pytest.mark.parametrize(
    ("stats", "processes"),
    [
        ({"pool": {"processes": [1, 2, 3]}}, 3),
        ({"pool": {"max-concurrency": 8}}, 8),
        ({"pool": None}, 0),
        ({"error": "busy"}, 0),
        (None, 0),
    ],
)
def test_processes_are_counted_for_every_pool(app: Celery, stats: object, processes: int) -> None:
    workers = WorkerWatch(app)
    workers.note({"a@b": [{"name": "configs"}]}, {"a@b": stats}, {"a@b": {"error": "busy"}})
    [worker] = workers.workers()
    assert (worker.processes, worker.tasks) == (processes, 0)


def test_an_error_instead_of_queues_is_no_answer(app: Celery) -> None:
    workers = WorkerWatch(app)
    workers.note({"a@b": {"error": "busy"}}, {}, {})
    assert workers.workers() == []


def test_they_are_asked_again_and_again(app: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    monkeypatch.setattr(module, "_ASKED_EVERY_SECONDS", 0)
    asked, stop = [], Event()

    def ask(_app: Celery, *questions: str) -> list[dict[str, object]]:
        asked.append(questions)
        if len(asked) == 3:
            stop.set()
        return [{}, {}, {}]

    monkeypatch.setattr(module, "ask_workers", ask)
    # When
    watching = Thread(target=WorkerWatch(app).run, args=(stop,))
    watching.start()
    watching.join(60)
    # Then
    assert asked == [("active_queues", "stats", "active")] * 3
