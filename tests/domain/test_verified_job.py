"""The outcome of a look at one job, in one line."""

import pytest

from artifact_pipeline.domain.catalog.verdicts import Verdict, VerifiedArtifact
from artifact_pipeline.domain.catalog.verified_job import verified_counts
from artifact_pipeline.domain.errors import VerificationError
from artifact_pipeline.domain.model.objects import ObjectAddress


def verified(verdict: Verdict, name: str = "job_config.json") -> VerifiedArtifact:
    address = ObjectAddress("artifacts", f"jobs/12/2025/10/23/211500/{name}")
    return VerifiedArtifact(verdict=verdict, address=address)


def test_what_is_ok_or_in_flight_is_counted() -> None:
    found = [verified(Verdict.OK), verified(Verdict.PENDING), verified(Verdict.OK)]
    assert verified_counts(12, found) == {"ok": 2, "pending": 1}


def test_a_job_without_artifacts_is_well() -> None:
    assert verified_counts(12, []) == {}


@pytest.mark.parametrize("verdict", sorted(set(Verdict) - {Verdict.OK, Verdict.PENDING}))
def test_each_other_verdict_is_named_with_its_artifact(verdict: Verdict) -> None:
    found = [verified(Verdict.OK), verified(verdict, "run_4_logs.log")]
    with pytest.raises(VerificationError) as raised:
        verified_counts(12, found)
    assert str(raised.value) == (
        f"job 12: 1 of 2 artifacts are not ok: run_4_logs.log {verdict}."
        " `artifacts jobs uploads verify 12` shows what differs"
    )


def test_of_many_the_first_five_are_named() -> None:
    found = [verified(Verdict.MISSING, f"run_{run_id}_logs.log") for run_id in range(1, 1001)]
    with pytest.raises(VerificationError, match=r"run_5_logs\.log missing and 995 more") as raised:
        verified_counts(12, found)
    assert len(str(raised.value)) < 300
