import random
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifact_pipeline.domain.errors import (
    AccessDeniedError,
    AttemptsExhaustedError,
    InvalidRequestError,
    PipelineError,
    SqlUnavailableError,
    StoreUnavailableError,
    TransferError,
    UnexpectedError,
    UnknownJobError,
    UploadAwaitedError,
)
from artifact_pipeline.domain.model.transfers import NO_FAILURE_REASONS
from artifact_pipeline.domain.transfers.retry import (
    Backoff,
    MessageDecision,
    Postpone,
    Quarantine,
    Retry,
    RetryPolicy,
    decide_message,
)
from tests.docs.retry_table import errors
from tests.domain.world import World


@given(
    attempt=st.integers(1, 10**9),
    base=st.timedeltas(timedelta(milliseconds=1), timedelta(hours=1)),
    cap=st.timedeltas(timedelta(milliseconds=1), timedelta(days=1)),
)
def test_a_delay_is_between_zero_and_its_ceiling(
    attempt: int, base: timedelta, cap: timedelta
) -> None:
    ceiling = base * 2 ** (attempt - 1) if attempt <= 30 else cap
    assert timedelta(0) <= Backoff(base, cap).delay(attempt) <= min(cap, ceiling)


def test_the_ceiling_doubles_up_to_the_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "random", lambda: 1.0)
    delays = [Backoff().delay(attempt).total_seconds() for attempt in range(1, 12)]
    assert delays == [2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]


def test_the_jitter_reaches_down_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "random", lambda: 0.0)
    assert Backoff().delay(7) == timedelta(0)


def test_two_workers_do_not_come_back_together() -> None:
    assert len({Backoff().delay(9) for _ in range(20)}) > 1


@pytest.mark.parametrize("error", [each for each in errors() if issubclass(each, TransferError)])
def test_only_what_is_no_failure_is_put_off_without_a_resource(
    world: World, error: type[TransferError]
) -> None:
    # When
    decision = RetryPolicy(max_attempts=3).decide(world.claim(), error())
    # Then commands and SQL agree with the policy about which waits are retries
    is_postponed = isinstance(decision, Postpone)
    assert is_postponed is (error.reason in NO_FAILURE_REASONS)


@pytest.mark.parametrize(
    ("age", "delay"),
    [
        (timedelta(0), timedelta(seconds=2)),
        (timedelta(minutes=5), timedelta(minutes=2.5)),
        (timedelta(days=1), timedelta(minutes=10)),
    ],
)
def test_an_upload_is_looked_for_less_often_the_longer_it_takes(
    world: World, age: timedelta, delay: timedelta
) -> None:
    decision = RetryPolicy(max_attempts=3).decide(world.claim(), UploadAwaitedError(age=age))
    assert isinstance(decision, Postpone)
    assert decision.delay == delay


def test_an_exception_that_is_no_error_of_the_pipeline_is_redacted_and_kept_as_the_cause(
    world: World,
) -> None:
    # Given
    error = RuntimeError("https://bucket.s3.invalid/secret")
    # When
    decision = RetryPolicy(max_attempts=3).decide(world.claim(), error)
    # Then
    assert isinstance(decision, Retry)
    assert isinstance(decision.error, UnexpectedError)
    assert (str(decision.error), decision.cause) == ("RuntimeError: <url>", error)


@pytest.mark.parametrize(
    ("error", "final"),
    [
        (StoreUnavailableError("503"), AttemptsExhaustedError),
        (RuntimeError("x"), AttemptsExhaustedError),
        (AccessDeniedError("403"), AccessDeniedError),
    ],
)
def test_what_no_worker_could_repeat_has_one_attempt(
    world: World, error: Exception, final: type[PipelineError]
) -> None:
    # Given a policy that does not retry, although attempts are left
    policy = RetryPolicy(max_attempts=10, circuits=world.runner().policy.circuits, retries=False)
    # When
    decision = policy.decide(world.claim(), error)
    # Then
    assert isinstance(decision, Quarantine)
    assert type(decision.error) is final


@pytest.mark.parametrize(
    ("error", "is_recorded", "decision"),
    [
        (StoreUnavailableError(), True, MessageDecision.LEAVE),
        (StoreUnavailableError(), False, MessageDecision.SEND_BACK),
        (SqlUnavailableError(), True, MessageDecision.SEND_BACK),
        (SqlUnavailableError(), False, MessageDecision.SEND_BACK),
        (UnknownJobError(), True, MessageDecision.FAIL),
        (UnknownJobError(), False, MessageDecision.FAIL),
        (InvalidRequestError(), False, MessageDecision.FAIL),
    ],
)
def test_a_message_comes_back_itself_only_if_sql_may_not_have_its_request(
    error: PipelineError, decision: MessageDecision, *, is_recorded: bool
) -> None:
    assert decide_message(error, is_recorded=is_recorded) is decision
