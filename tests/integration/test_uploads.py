"""Uploads through a real worker, broker, S3 server and database."""

import io
import zipfile
from datetime import UTC, datetime

import pytest

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.domain.reasons import ReasonCode
from tests.integration.deployment import Deployment

CREATED_AT = datetime(2025, 10, 23, 21, 15, 0, tzinfo=UTC)
RUN_CREATED_AT = datetime(2025, 10, 23, 21, 16, 30, tzinfo=UTC)


def test_scenario_job_config_upload_uses_job_created_at_by_worker(deployment: Deployment) -> None:
    # Given job 12, created at 21:15:00
    job_id = deployment.job(CREATED_AT, job_id=12)
    artifact = Artifact(ArtifactKind.JOB_CONFIG, job_id)
    deployment.write(artifact, b'{"days": 180}')

    # When its config is uploaded, however much later
    deployment.send(artifact)

    # Then it lies in the directory of that moment
    stored = deployment.stored(artifact)
    assert stored.object.key == "jobs/12/2025/10/23/211500/job_config.json"
    assert deployment.body(stored.object.key) == b'{"days": 180}'


def test_scenario_run_config_upload_uses_job_created_at_by_worker(deployment: Deployment) -> None:
    # Given a run that was created a minute and a half after its job
    job_id = deployment.job(CREATED_AT)
    run_id = deployment.run(job_id, RUN_CREATED_AT)
    artifact = Artifact(ArtifactKind.RUN_CONFIG, job_id, run_id)
    deployment.write(artifact)

    # When its config is uploaded
    deployment.send(artifact)

    # Then the directory is named after the job's moment, not the run's
    key = deployment.stored(artifact).object.key
    assert key == f"jobs/{job_id}/2025/10/23/211500/run_{run_id}_config.json"


def test_scenario_all_artifacts_share_same_directory_by_worker(deployment: Deployment) -> None:
    # Given a job and a run with every kind of artifact
    job_id = deployment.job(CREATED_AT)
    run_id = deployment.run(job_id, RUN_CREATED_AT)
    artifacts = [
        Artifact(kind, job_id, run_id if kind.belongs_to_run else None) for kind in ArtifactKind
    ]
    for artifact in artifacts:
        deployment.write(artifact)

    # When each is uploaded at another time
    keys = set()
    for artifact in artifacts:
        deployment.send(artifact)
        keys.add(deployment.stored(artifact).object.key)

    # Then one LIST of one directory finds them all, and nothing else
    listed = deployment.listing(f"jobs/{job_id}/2025/10/23/211500/")
    assert {item["Key"] for item in listed} == keys
    assert len(keys) == len(ArtifactKind)
    assert len(deployment.listing(f"jobs/{job_id}/")) == len(ArtifactKind)


def test_late_upload_lands_in_the_creation_time_directory_by_worker(
    deployment: Deployment,
) -> None:
    # Given a job of two years ago, whose run ended just now
    job_id = deployment.job(datetime(2023, 1, 2, 3, 4, 5, tzinfo=UTC))
    run_id = deployment.run(job_id, datetime.now(UTC))
    artifact = Artifact(ArtifactKind.RUN_RESULTS, job_id, run_id)
    deployment.write(artifact)

    # When its results are uploaded
    deployment.send(artifact)

    # Then they are in the directory of two years ago
    key = deployment.stored(artifact).object.key
    assert key == f"jobs/{job_id}/2023/01/02/030405/run_{run_id}_results.zip"


def test_results_arrive_zipped_and_mark_the_run_done(deployment: Deployment) -> None:
    # Given a run with results in two RUN directories
    job_id = deployment.job(CREATED_AT)
    run_id = deployment.run(job_id, RUN_CREATED_AT)
    artifact = Artifact(ArtifactKind.RUN_RESULTS, job_id, run_id)
    deployment.write(artifact, b"1,2,3\n")

    # When they are uploaded
    deployment.send(artifact)
    stored = deployment.stored(artifact)

    # Then the zip holds the directories, and the platform's row says where it is
    with zipfile.ZipFile(io.BytesIO(deployment.body(stored.object.key))) as archive:
        assert archive.namelist() == ["RUN1/out.csv", "RUN2/out.csv"]
        assert archive.read("RUN2/out.csv") == b"1,2,3\n"
    row = deployment.run_row(run_id)
    assert row["status"] == "DONE"
    assert row["results_url"].endswith(stored.object.key)
    assert "?" not in row["results_url"]
    assert row["results_uploaded_at"] == stored.stored_at


@pytest.mark.parametrize(
    ("arrange", "reason"),
    [
        ("unknown job", ReasonCode.UNKNOWN_JOB),
        ("unknown run", ReasonCode.UNKNOWN_RUN),
        ("run of another job", ReasonCode.RUN_OF_ANOTHER_JOB),
        ("missing source", ReasonCode.SOURCE_MISSING),
        ("empty source", ReasonCode.SOURCE_EMPTY),
    ],
)
def test_what_can_never_succeed_is_quarantined_at_once(
    deployment: Deployment, arrange: str, reason: ReasonCode
) -> None:
    # Given a request that no attempt can fulfil
    artifact = _hopeless(deployment, arrange)

    # When a worker gets it
    deployment.send(artifact)
    ended = deployment.ended(artifact)

    # Then one attempt was enough to say why not, and nothing is stored
    assert ended.state is TransferState.QUARANTINED
    assert (ended.reason_code, ended.attempts) == (reason, 1)
    assert ended.last_error
    assert deployment.listing(f"jobs/{artifact.job_id}/") == []


def test_a_duplicate_of_a_message_changes_nothing(deployment: Deployment) -> None:
    # Given an upload that is done
    job_id = deployment.job(CREATED_AT)
    artifact = Artifact(ArtifactKind.JOB_CONFIG, job_id)
    path = deployment.write(artifact)
    request_id = deployment.send(artifact)
    before = deployment.stored(artifact)

    # When its message is delivered again, over a source that has changed since
    path.write_bytes(b"changed")
    deployment.send(artifact, request_id)
    _pass_through(deployment, job_id)

    # Then nothing was asked for, nothing was sent, nothing was recorded
    assert deployment.count_transfers(job_id) == 2  # the first, and the one that passed through
    assert deployment.artifacts.find(artifact) == before


def test_a_second_request_sends_only_what_changed(deployment: Deployment) -> None:
    # Given an upload that is done
    artifact = Artifact(ArtifactKind.JOB_CONFIG, deployment.job(CREATED_AT))
    path = deployment.write(artifact, b"first")
    deployment.send(artifact)
    first = deployment.stored(artifact)

    # When it is asked for again as it is, and again once it has changed
    deployment.send(artifact)
    deployment.wait_until(lambda: deployment.count_transfers(artifact.job_id) == 2)
    unchanged = deployment.ended(artifact)
    path.write_bytes(b"second")
    deployment.send(artifact)
    deployment.wait_until(lambda: deployment.count_transfers(artifact.job_id) == 3)
    changed = deployment.ended(artifact)

    # Then only the change went over the wire
    assert unchanged.bytes_sent == 0
    assert changed.bytes_sent == len(b"second")
    assert deployment.body(first.object.key) == b"second"


def _hopeless(deployment: Deployment, arrange: str) -> Artifact:
    if arrange == "unknown job":
        return Artifact(ArtifactKind.JOB_CONFIG, deployment.new_id())
    job_id = deployment.job(CREATED_AT)
    if arrange == "unknown run":
        return Artifact(ArtifactKind.RUN_CONFIG, job_id, deployment.new_id())
    if arrange == "run of another job":
        stranger = deployment.run(deployment.job(CREATED_AT), RUN_CREATED_AT)
        return Artifact(ArtifactKind.RUN_CONFIG, job_id, stranger)
    artifact = Artifact(ArtifactKind.JOB_INPUT, job_id)
    if arrange == "empty source":
        deployment.write(artifact, b"")
    return artifact


def _pass_through(deployment: Deployment, job_id: int) -> None:
    """Another request behind it in the same queue: once it is done, the first was looked at."""
    run_id = deployment.run(job_id, RUN_CREATED_AT)
    follower = Artifact(ArtifactKind.RUN_CONFIG, job_id, run_id)
    deployment.write(follower)
    deployment.send(follower)
    deployment.stored(follower)
