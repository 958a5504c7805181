"""What every quarantine does: what is in it, and what becomes of it."""

from datetime import timedelta

import pytest

from artifact_pipeline.domain.errors import AccessDeniedError, SourceMissingError, TransferError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.quarantine import QuarantineFilter, RetrySummary
from artifact_pipeline.domain.model.selection import IdRange
from artifact_pipeline.domain.model.transfers import Direction, Transfer, TransferState
from artifact_pipeline.domain.ports.quarantine import IQuarantine
from artifact_pipeline.domain.ports.transfers import ITransferRepository
from artifact_pipeline.domain.reasons import ReasonCode
from tests.contract.transfer_steps import (
    CONFIG,
    HOUR,
    LONG_AGO,
    RESULTS,
    UPLOAD,
    claim_of,
    latest,
    published,
)

ALL = QuarantineFilter()
OTHER_JOB = Artifact(ArtifactKind.JOB_CONFIG, 13)


def give_up(
    transfers: ITransferRepository,
    artifact: Artifact,
    error: TransferError,
    request_id: str = "a",
) -> None:
    claim = claim_of(transfers, artifact, request_id)
    assert claim is not None
    transfers.keep_upload_id(claim, f"upload of {artifact}")
    transfers.quarantine(claim, error)


def artifacts(transfers: list[Transfer]) -> list[Artifact]:
    return [transfer.artifact for transfer in transfers]


@pytest.mark.usefixtures("three")
class QuarantineFilterContract:
    @pytest.mark.parametrize(
        ("which", "found"),
        [
            (ALL, [OTHER_JOB, RESULTS, CONFIG]),
            (QuarantineFilter(reasons=frozenset({ReasonCode.ACCESS_DENIED})), [OTHER_JOB]),
            (QuarantineFilter(kinds=frozenset({ArtifactKind.RUN_RESULTS})), [RESULTS]),
            (QuarantineFilter(job_ids=frozenset({12})), [RESULTS, CONFIG]),
            (
                QuarantineFilter(
                    job_ids=frozenset({12}), kinds=frozenset({ArtifactKind.JOB_CONFIG})
                ),
                [CONFIG],
            ),
            (QuarantineFilter(older_than=HOUR), []),
            (QuarantineFilter(run_ids=[IdRange(first=4, last=9)]), [RESULTS]),
            (QuarantineFilter(directions=[Direction.DOWNLOAD]), []),
            (QuarantineFilter(directions=[UPLOAD], job_ids=[13]), [OTHER_JOB]),
            (QuarantineFilter(user_ids=[1]), [RESULTS, CONFIG]),
            (QuarantineFilter(user_ids=[2]), []),
            (QuarantineFilter(tags=["urgent"]), []),
            (QuarantineFilter(created_before=LONG_AGO), []),
            (QuarantineFilter(created_after=LONG_AGO), [RESULTS, CONFIG]),
            (QuarantineFilter(failed_before=LONG_AGO), []),
            (QuarantineFilter(failed_after=LONG_AGO), [OTHER_JOB, RESULTS, CONFIG]),
            (QuarantineFilter(newer_than=HOUR), [OTHER_JOB, RESULTS, CONFIG]),
        ],
    )
    def test_only_what_fits_is_found_newest_first(
        self, quarantine: IQuarantine, which: QuarantineFilter, found: list[Artifact]
    ) -> None:
        assert artifacts(list(quarantine.list(which, 10))) == found
        assert quarantine.count(which) == len(found)

    def test_the_list_is_as_long_as_its_limit(self, quarantine: IQuarantine) -> None:
        assert artifacts(list(quarantine.list(ALL, 1))) == [OTHER_JOB]


class QuarantineRetryContract:
    def test_it_begins_anew_and_is_sent_by_the_next_sweep(
        self, three: ITransferRepository, quarantine: IQuarantine
    ) -> None:
        assert quarantine.retry(ALL) == RetrySummary(retried=3)
        transfer = latest(three, CONFIG)
        assert (transfer.state, transfer.attempts) == (TransferState.REQUESTED, 0)
        assert (transfer.reason_code, transfer.last_error, transfer.finished_at) == (None,) * 3
        # What it had sent is kept, to go on from there
        assert transfer.upload_id == f"upload of {CONFIG}"
        # And no producer is waited for, however fresh the request is
        assert len(published(three, unclaimed_after=HOUR)) == 3
        assert quarantine.count(ALL) == 0

    def test_the_preview_changes_nothing_and_says_the_same(
        self, three: ITransferRepository, quarantine: IQuarantine
    ) -> None:
        three.request(CONFIG, UPLOAD, "b")
        preview = quarantine.preview(ALL)
        assert quarantine.count(ALL) == 3
        assert quarantine.retry(ALL) == preview == RetrySummary(retried=2, superseded=1)

    def test_a_late_worker_of_before_still_cannot_write(
        self, transfers: ITransferRepository, quarantine: IQuarantine
    ) -> None:
        give_up(transfers, CONFIG, AccessDeniedError())
        fence = latest(transfers, CONFIG).fence
        quarantine.retry(ALL)
        again = claim_of(transfers, CONFIG, "a")
        assert again is not None
        assert again.fence == fence + 1

    @pytest.mark.parametrize("state", ["requested", "quarantined", "cancelled"])
    def test_what_was_asked_for_again_is_left(
        self, three: ITransferRepository, quarantine: IQuarantine, state: str
    ) -> None:
        three.request(CONFIG, UPLOAD, "b")
        if state == "quarantined":
            give_up(three, CONFIG, SourceMissingError(), "b")
        if state == "cancelled":
            three.cancel(12, None, ArtifactKind.JOB_CONFIG)
        newer = latest(three, CONFIG)
        summary = quarantine.retry(QuarantineFilter(kinds=frozenset({ArtifactKind.JOB_CONFIG})))
        assert summary.superseded == 1
        assert latest(three, CONFIG).id == newer.id

    def test_only_what_fits_is_retried(
        self, three: ITransferRepository, quarantine: IQuarantine
    ) -> None:
        which = QuarantineFilter(reasons=frozenset({ReasonCode.ACCESS_DENIED}))
        assert quarantine.retry(which) == RetrySummary(retried=1)
        assert latest(three, OTHER_JOB).state is TransferState.REQUESTED
        assert latest(three, CONFIG).state is TransferState.QUARANTINED


class QuarantineDiscardContract:
    def test_it_is_cancelled_and_still_says_why(
        self, three: ITransferRepository, quarantine: IQuarantine
    ) -> None:
        assert quarantine.discard(ALL) == 3
        transfer = latest(three, CONFIG)
        assert transfer.state is TransferState.CANCELLED
        assert transfer.reason_code is ReasonCode.SOURCE_MISSING
        assert transfer.finished_at is not None
        assert quarantine.discard(ALL) == 0

    def test_what_was_asked_for_again_can_be_discarded_too(
        self, three: ITransferRepository, quarantine: IQuarantine
    ) -> None:
        three.request(CONFIG, UPLOAD, "b")
        assert quarantine.discard(QuarantineFilter(older_than=timedelta(0))) == 3
        assert latest(three, CONFIG).state is TransferState.REQUESTED
