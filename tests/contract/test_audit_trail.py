"""The contract of the audit trail, over each adapter."""

import pytest

from artifact_pipeline.domain.catalog.audited import audited
from artifact_pipeline.domain.errors import AccessDeniedError, InvalidRequestError, LegalHoldError
from artifact_pipeline.domain.model.operator_actions import ActionName, ActionOutcome, NewAction
from artifact_pipeline.domain.ports.audit_trail import IAuditTrail
from tests.contract.repositories import Repositories

CANCEL = NewAction(
    name=ActionName.CANCEL, actor="ann", reason="wrong job", job_id=12, target={"run_id": 4}
)
DISCARD = NewAction(name=ActionName.QUARANTINE_DISCARD, actor="bob", target={"kinds": ["run_logs"]})


@pytest.fixture
def trail(repositories: Repositories) -> IAuditTrail:
    return repositories.trail


def test_an_action_is_kept_before_it_ends(trail: IAuditTrail) -> None:
    # When
    action_id = trail.begin(CANCEL)
    # Then
    [kept] = trail.of_job(12)
    assert (kept.id, kept.name, kept.actor, kept.reason) == (
        *(action_id, "jobs cancel", "ann"),
        "wrong job",
    )
    assert (kept.job_id, kept.batch_id, kept.target) == (12, None, {"run_id": 4})
    assert (kept.finished_at, kept.outcome, kept.result) == (None, None, None)


def test_its_first_end_counts(trail: IAuditTrail) -> None:
    # Given
    action_id = trail.begin(CANCEL)
    # When
    trail.end(action_id, ActionOutcome.PARTIAL, "2 cancelled, see s3://bucket/secret")
    trail.end(action_id, ActionOutcome.FAILED)
    # Then
    [kept] = trail.of_job(12)
    assert (kept.outcome, kept.result) == ("partial", "2 cancelled, see <url>")
    assert kept.finished_at is not None
    assert kept.finished_at >= kept.started_at


def test_an_action_is_found_by_each_job_that_it_touched(trail: IAuditTrail) -> None:
    # Given
    action_id = trail.begin(DISCARD)
    # When
    trail.touch(action_id, [12, 13])
    trail.touch(action_id, [13])
    # Then
    assert [action.id for action in trail.of_job(12)] == [action_id]
    assert [action.id for action in trail.of_job(13)] == [action_id]
    assert trail.of_job(14) == []


def test_actions_on_its_batches_are_the_jobs_too(trail: IAuditTrail) -> None:
    # Given
    paused = trail.begin(NewAction(name=ActionName.BATCH_PAUSE, actor="ann", batch_id=3))
    trail.begin(NewAction(name=ActionName.BATCH_PAUSE, actor="ann", batch_id=4))
    cancelled = trail.begin(CANCEL)
    # When, Then
    assert [action.id for action in trail.of_job(12, {3})] == [paused, cancelled]


def test_the_newest_come_first(trail: IAuditTrail) -> None:
    first, second = trail.begin(CANCEL), trail.begin(DISCARD)
    assert [action.id for action in trail.newest(5)] == [second, first]
    assert [action.id for action in trail.newest(1)] == [second]
    assert [action.id for action in trail.newest(5, before=second)] == [first]


def test_an_audited_action_says_what_came_of_it(trail: IAuditTrail) -> None:
    with audited(trail, CANCEL) as action:
        action.came_to("3 cancelled")
    [kept] = trail.of_job(12)
    assert (kept.outcome, kept.result) == ("done", "3 cancelled")


@pytest.mark.parametrize(
    ("error", "outcome", "result"),
    [
        (AccessDeniedError("denied"), "failed", "1 cancelled; access_denied: denied"),
        (LegalHoldError("held"), "refused", "1 cancelled; legal_hold: held"),
        (InvalidRequestError("not now"), "refused", "1 cancelled; not now"),
        (KeyboardInterrupt(), "interrupted", "1 cancelled; KeyboardInterrupt"),
        (ValueError("a secret"), "failed", "1 cancelled; ValueError"),
    ],
)
def test_an_error_ends_it(
    trail: IAuditTrail, error: BaseException, outcome: str, result: str
) -> None:
    def fail() -> None:
        with audited(trail, CANCEL) as action:
            action.came_to("1 cancelled")
            raise error

    # When
    with pytest.raises(type(error)):
        fail()
    # Then
    [kept] = trail.of_job(12)
    assert (kept.outcome, kept.result) == (outcome, result)
