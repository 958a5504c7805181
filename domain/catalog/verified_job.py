"""The outcome of a look at one job, for callers that cannot show a table."""

from collections import Counter
from collections.abc import Sequence

from artifact_pipeline.domain.catalog.job_objects import file_name_of
from artifact_pipeline.domain.catalog.verdicts import VerifiedArtifact
from artifact_pipeline.domain.errors import VerificationError

_NAMED = 5


def verified_counts(job_id: int, verified: Sequence[VerifiedArtifact]) -> dict[str, int]:
    """Return how many artifacts have each verdict.

    Args:
        job_id: of the job.
        verified: what `VerifyJob` has returned.

    Raises:
        VerificationError: one is neither ok nor pending. It names the first of them.
    """
    faults = [each for each in verified if each.verdict.is_fault]
    if faults:
        named = ", ".join(
            f"{file_name_of(each.address)} {each.verdict}" for each in faults[:_NAMED]
        )
        more = f" and {len(faults) - _NAMED} more" if len(faults) > _NAMED else ""
        raise VerificationError(
            f"job {job_id}: {len(faults)} of {len(verified)} artifacts are not ok: {named}{more}."
            f" `artifacts jobs uploads verify {job_id}` shows what differs"
        )
    return dict(sorted(Counter(str(each.verdict) for each in verified).items()))
