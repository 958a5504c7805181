import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.jobs import MAX_ID
from artifact_pipeline.domain.model.kinds import ArtifactKind

NO_IDS = [None, True, False, "12", "", 12.0, 0, -1, 2**31, 2**63, [12]]
OF_RUNS = [kind for kind in ArtifactKind if kind.belongs_to_run]
OF_JOBS = [kind for kind in ArtifactKind if not kind.belongs_to_run]


def test_configs_and_inputs_belong_to_jobs_and_the_rest_to_runs() -> None:
    of_runs = [ArtifactKind.RUN_CONFIG, ArtifactKind.RUN_RESULTS, ArtifactKind.RUN_LOGS]
    assert OF_JOBS[:2] == [ArtifactKind.JOB_CONFIG, ArtifactKind.JOB_INPUT]
    assert OF_RUNS[:3] == of_runs


@pytest.mark.parametrize("kind", ArtifactKind)
def test_every_kind_has_a_content_type(kind: ArtifactKind) -> None:
    assert "/" in kind.content_type


@pytest.mark.parametrize("kind", ArtifactKind)
def test_a_kind_may_be_given_by_its_text(kind: ArtifactKind) -> None:
    text: Any = str(kind)
    run_id = 4 if kind.belongs_to_run else None
    artifact = Artifact(text, 12, run_id)
    assert artifact.kind is kind
    assert artifact == Artifact(kind, 12, run_id)


@pytest.mark.parametrize("kind", ["results", "", None, 1, ["run_logs"]], ids=repr)
def test_what_is_no_kind_is_refused_with_those_that_are(kind: Any) -> None:
    with pytest.raises(InvalidRequestError, match=r"^kind: .* is not a kind; give one of job_con"):
        Artifact(kind, 12, 4)


@given(job_id=st.integers(1, MAX_ID), run_id=st.integers(1, MAX_ID))
def test_every_id_of_the_platform_is_taken(job_id: int, run_id: int) -> None:
    for kind in OF_JOBS:
        assert Artifact(kind, job_id).run_id is None
    for kind in OF_RUNS:
        assert Artifact(kind, job_id, run_id).run_id == run_id


@pytest.mark.parametrize("job_id", NO_IDS, ids=repr)
@pytest.mark.parametrize("kind", ArtifactKind)
def test_a_job_id_that_is_none_is_refused(kind: ArtifactKind, job_id: Any) -> None:
    run_id = 4 if kind.belongs_to_run else None
    with pytest.raises(InvalidRequestError, match="job_id must be from 1 to 2147483647"):
        Artifact(kind, job_id, run_id)


@pytest.mark.parametrize("run_id", NO_IDS, ids=repr)
@pytest.mark.parametrize("kind", OF_RUNS)
def test_a_run_id_that_is_none_is_refused(kind: ArtifactKind, run_id: Any) -> None:
    with pytest.raises(InvalidRequestError, match=f"{kind} needs a run_id"):
        Artifact(kind, 12, run_id)


@given(job_id=st.integers().filter(lambda number: not 0 < number <= MAX_ID))
def test_no_number_out_of_range_is_taken(job_id: int) -> None:
    with pytest.raises(InvalidRequestError):
        Artifact(ArtifactKind.JOB_CONFIG, job_id)


@pytest.mark.parametrize("run_id", [4, 0, False], ids=repr)
@pytest.mark.parametrize("kind", OF_JOBS)
def test_an_artifact_of_the_job_takes_no_run(kind: ArtifactKind, run_id: Any) -> None:
    with pytest.raises(InvalidRequestError, match="belongs to the job; leave it out"):
        Artifact(kind, 12, run_id)


def test_equal_artifacts_are_one_key_of_a_mapping() -> None:
    assert (
        len({Artifact(ArtifactKind.RUN_LOGS, 12, 4), Artifact(ArtifactKind.RUN_LOGS, 12, 4)}) == 1
    )


def test_an_artifact_is_not_changed_afterwards() -> None:
    artifact = Artifact(ArtifactKind.JOB_CONFIG, 12)
    with pytest.raises(dataclasses.FrozenInstanceError):
        artifact.job_id = 13  # type: ignore[misc]


def test_an_artifact_is_told_by_its_ids() -> None:
    assert str(Artifact(ArtifactKind.JOB_CONFIG, 12)) == "job_config of job 12"
    assert str(Artifact(ArtifactKind.RUN_LOGS, 12, 4)) == "run_logs of job 12 run 4"
