"""The rule which parts of the pipeline need an operator."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from artifact_pipeline.domain.maintenance.attention import find_problems, standstill
from artifact_pipeline.domain.maintenance.pipeline_status import (
    WINDOWS,
    BrokerStatus,
    DatabaseStatus,
    EndpointFailures,
    FailureGroup,
    Phase,
    PipelineStatus,
    Throughput,
    TransferGroup,
    WorkerQueues,
)
from artifact_pipeline.domain.maintenance.problems import Problem, ProblemCode
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.queued_events import EventBacklog
from artifact_pipeline.domain.reasons import ReasonCode

NOW = datetime(2025, 10, 23, 21, 15, tzinfo=UTC)
QUEUES = ("configs", "results", "upkeep", "batches", "celery")
ALL = WorkerQueues(name="all@host", queues=QUEUES)


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def group(phase: Phase, minutes: float, *, late: int = 0, queue: str = "configs") -> TransferGroup:
    return TransferGroup(
        queue=queue,
        kind=ArtifactKind.JOB_CONFIG,
        phase=phase,
        transfers=10,
        late=late,
        since=ago(minutes),
    )


def broker(
    *workers: WorkerQueues, dispatched: float | None = 0.05, **messages: int
) -> BrokerStatus:
    at = None if dispatched is None else ago(dispatched)
    return BrokerStatus(messages=messages, workers=workers, dispatched_at=at)


def done(queue: str = "configs") -> Throughput:
    return Throughput(queue=queue, window=WINDOWS[-1], transfers=3, bytes_moved=9)


def status(of_broker: BrokerStatus | None = None, **of_database: Any) -> PipelineStatus:
    return PipelineStatus(
        database=DatabaseStatus(now=NOW, **of_database),
        broker=of_broker,
        queues=QUEUES,
        upkeep_queue="upkeep",
        batch_queue="batches",
    )


def codes(problems: Sequence[Problem]) -> list[str]:
    return [problem.code.value for problem in problems]


def found(of_broker: BrokerStatus | None = None, **of_database: Any) -> list[str]:
    return codes(find_problems(status(of_broker, **of_database)))


def test_a_pipeline_with_nothing_to_do_needs_nobody() -> None:
    assert found(broker(ALL)) == []


def test_work_that_has_just_come_needs_nobody() -> None:
    fresh = [group(Phase.DUE, 1), group(Phase.EXPIRED, 1), group(Phase.RETRY, -3)]
    assert found(broker(ALL, configs=10), transfers=fresh) == []


def test_the_case_of_a_backlog_without_worker_or_beat() -> None:
    # Given requests that are outstanding, and nothing that does them
    outstanding = status(
        broker(dispatched=None, configs=10), transfers=[group(Phase.DUE, 20, late=10)]
    )
    # When
    problems = find_problems(outstanding)
    # Then both causes are named with the command that ends them
    assert codes(problems) == ["no_dispatch", "no_worker"]
    assert problems[1].what == "configs: no worker listens, 10 transfers due for 20m"
    assert problems[1].fix.endswith("--queues configs")
    assert problems[0].fix.endswith("--queues upkeep")
    assert codes(standstill(outstanding)) == ["no_dispatch", "no_worker"]


def test_the_restart_of_a_queues_only_worker_is_no_standstill() -> None:
    # Given
    others = WorkerQueues(name="others@host", queues=("results", "upkeep", "batches", "celery"))
    restarted = [
        status(broker(others), transfers=[group(Phase.DUE, minutes)]) for minutes in (0.9, 1.1)
    ]
    # When
    [[warned], [failed]] = map(find_problems, restarted)
    # Then
    assert (warned.code, warned.is_error) == (ProblemCode.NO_WORKER, False)
    assert (failed.code, failed.is_error) == (ProblemCode.NO_WORKER, True)
    assert list(map(codes, map(standstill, restarted))) == [[], ["no_worker"]]


def test_a_worker_that_does_not_answer_while_it_transfers_is_not_missed() -> None:
    busy = [group(Phase.DUE, 2), group(Phase.RUNNING, -0.5)]
    assert found(broker(dispatched=0.05), transfers=busy) == []


@pytest.mark.parametrize(("minutes", "expected"), [(4, []), (6, ["no_dispatch"])])
def test_a_broker_that_knows_of_no_dispatch_proves_nothing_at_first(
    minutes: float, expected: list[str]
) -> None:
    due = status(broker(ALL, dispatched=None), transfers=[group(Phase.DUE, minutes)])
    assert codes(standstill(due)) == expected


def test_messages_without_a_worker_are_found_though_sql_has_none() -> None:
    [problem] = find_problems(status(broker(WorkerQueues(name="w", queues=["upkeep"]), celery=1)))
    assert problem.what == "celery: no worker listens, 1 message in the broker"


@pytest.mark.parametrize(
    ("dispatched", "expected"), [(0.9, []), (1.1, ["no_dispatch"]), (None, ["no_dispatch"])]
)
def test_a_dispatch_that_is_late_is_beat_s(dispatched: float | None, expected: list[str]) -> None:
    problems = find_problems(status(broker(ALL, dispatched=dispatched)))
    assert codes(problems) == expected
    assert all(
        problem.fix == "celery -A artifact_pipeline.worker.control beat --loglevel INFO"
        for problem in problems
    )


def test_beat_alone_is_no_standstill_while_nothing_is_outstanding() -> None:
    assert standstill(status(broker(ALL, dispatched=None))) == []


class TestLate:
    late = (group(Phase.DUE, 20, late=7),)

    def test_a_queue_that_is_worked_off_too_slowly_is_a_warning(self) -> None:
        slow = status(broker(ALL), transfers=self.late, throughput=[done()])
        [problem] = find_problems(slow)
        assert (problem.code, problem.is_error) == (ProblemCode.BEHIND, False)
        assert standstill(slow) == []

    def test_one_long_transfer_is_progress_too(self) -> None:
        running = [*self.late, group(Phase.RUNNING, -1)]
        assert found(broker(ALL), transfers=running) == ["behind"]

    def test_a_queue_where_nothing_ends_is_stuck(self) -> None:
        stuck = status(broker(ALL), transfers=self.late, throughput=[done("results")])
        [problem] = find_problems(stuck)
        assert (problem.code, problem.is_error) == (ProblemCode.STUCK, True)
        assert "7 transfers due for more than 5m, the first for 20m" in problem.what
        assert standstill(stuck) == [problem]

    @pytest.mark.parametrize(("progress", "expected"), [([done("batches")], []), ([], ["stuck"])])
    def test_a_batch_may_wait_while_it_proceeds(
        self, progress: list[Throughput], expected: list[str]
    ) -> None:
        waiting = [group(Phase.DUE, 20, late=7, queue="batches")]
        assert found(broker(ALL), transfers=waiting, throughput=progress) == expected

    @pytest.mark.parametrize("progress", [[], [done()]])
    def test_an_expired_lease_is_to_be_taken_over(self, progress: list[Throughput]) -> None:
        expired = [group(Phase.EXPIRED, 3, late=10)]
        [problem] = find_problems(status(broker(ALL), transfers=expired, throughput=progress))
        assert problem.code is ProblemCode.LEASE_EXPIRED
        assert problem.is_error is not bool(progress)


def test_a_broker_that_is_away_explains_all_that_waits() -> None:
    away = status(None, transfers=[group(Phase.DUE, 20, late=10)])
    assert codes(find_problems(away)) == ["broker_away"]
    assert codes(standstill(away)) == ["broker_away"]


@pytest.mark.parametrize(("is_open", "expected"), [(True, ["s3_breaker_open"]), (False, [])])
def test_an_open_breaker_is_shown(is_open: bool, expected: list[str]) -> None:  # noqa: FBT001
    failing = EndpointFailures(endpoint="s3", failures=5, failed_at=ago(1), is_open=is_open)
    assert found(broker(ALL), endpoints=[failing]) == expected


@pytest.mark.parametrize(("recent", "expected"), [(2, ["quarantined"]), (0, [])])
def test_only_a_recent_failure_needs_a_hand(recent: int, expected: list[str]) -> None:
    failed = FailureGroup(
        reason=ReasonCode.SOURCE_MISSING, quarantined=9, recent=recent, last_at=ago(30)
    )
    problems = find_problems(status(broker(ALL), failures=[failed]))
    assert codes(problems) == expected
    assert all("--reason source_missing --newer-than 1h" in each.fix for each in problems)


@pytest.mark.parametrize(
    ("minutes", "refused", "expected"),
    [(4, 0, []), (6, 0, ["events_late"]), (None, 2, ["events_refused"])],
)
def test_events_that_nobody_takes_need_an_operator(
    minutes: int | None, refused: int, expected: list[str]
) -> None:
    backlog = EventBacklog(
        target="webhook",
        waiting=0 if minutes is None else 3,
        oldest=None if minutes is None else timedelta(minutes=minutes),
        refused=refused,
    )
    problems = find_problems(status(broker(ALL), events=[backlog]))
    assert codes(problems) == expected
    assert all(each.fix.endswith("--target webhook") for each in problems)


def test_errors_come_before_warnings() -> None:
    failed = FailureGroup(
        reason=ReasonCode.SOURCE_MISSING, quarantined=9, recent=1, last_at=ago(30)
    )
    stuck = [group(Phase.DUE, 20, late=7)]
    assert found(broker(ALL), failures=[failed], transfers=stuck) == ["stuck", "quarantined"]
