"""Uploads by a client that knows only a URL, confirmed by a real worker."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import botocore.auth
import pytest

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.domain.reasons import ReasonCode
from artifact_pipeline.tasks.app import producer_app
from artifact_pipeline.worker.composition.producer import Producer
from artifact_pipeline.worker.settings import ProducerSettings, load
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from tests.integration.deployment import Deployment
from tests.integration.platform import Client, Platform

CREATED_AT = datetime(2025, 10, 23, 21, 15, 0, tzinfo=UTC)
RUN_CREATED_AT = datetime(2025, 10, 23, 21, 16, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def platform(deployment: Deployment) -> Iterator[Platform]:
    with platform_of(deployment) as platform:
        yield platform


@contextmanager
def platform_of(deployment: Deployment, **settings: str) -> Iterator[Platform]:
    with patch.dict("os.environ", {**deployment.stack.settings(), **settings}):
        app = producer_app(deployment.stack.broker.url)
        yield Platform(deployment.stack.engine, Producer(load(ProducerSettings), app), app)
        app.close()


@pytest.fixture
def client() -> Client:
    return Client()


def key_of(deployment: Deployment, artifact: Artifact) -> str:
    """Where it is recorded, once a worker has confirmed it."""
    assert deployment.ended(artifact, Direction.CONFIRM).state is TransferState.DONE
    stored = deployment.artifacts.find(artifact)
    assert stored is not None
    return stored.object.key


def test_scenario_job_config_upload_uses_job_created_at_by_url(
    deployment: Deployment, platform: Platform, client: Client
) -> None:
    # Given job 12, created at 21:15:00
    artifact = Artifact(ArtifactKind.JOB_CONFIG, deployment.job(CREATED_AT, job_id=12))

    # When a client uploads its config by a URL, however much later, and says so
    with platform.controller() as controller:
        url = controller.submit_job_config(12).url
    assert client.put(url, b'{"days": 180}') == 200
    with platform.controller() as controller:
        controller.confirm_upload(12)

    # Then it lies in the directory of that moment
    key = key_of(deployment, artifact)
    assert key == "jobs/12/2025/10/23/211500/job_config.json"
    assert deployment.body(key) == b'{"days": 180}'


def test_scenario_run_config_upload_uses_job_created_at_by_url(
    deployment: Deployment, platform: Platform, client: Client
) -> None:
    # Given a run that was created a minute and a half after its job
    job_id = deployment.job(CREATED_AT)
    run_id = deployment.run(job_id, RUN_CREATED_AT)
    artifact = Artifact(ArtifactKind.RUN_CONFIG, job_id, run_id)

    # When a client uploads its config by a URL
    with platform.controller() as controller:
        location = controller.submit_run_config(job_id, run_id)
    assert client.put(location.url, b"{}") == 200
    with platform.controller() as controller:
        controller.confirm_upload(job_id, run_id)

    # Then the directory is named after the job's moment, not the run's
    key = key_of(deployment, artifact)
    assert key == f"jobs/{job_id}/2025/10/23/211500/run_{run_id}_config.json"
    # And the platform's row has the URL without its signature
    assert deployment.run_row(run_id)["config_url"] == location.sanitized
    assert "?" not in location.sanitized


def test_scenario_all_artifacts_share_same_directory_by_url(
    deployment: Deployment, platform: Platform, client: Client
) -> None:
    # Given a job and a run
    job_id = deployment.job(CREATED_AT)
    run_id = deployment.run(job_id, RUN_CREATED_AT)
    results = deployment.write(Artifact(ArtifactKind.RUN_RESULTS, job_id, run_id))

    # When everything that there can be is uploaded by URLs, and the results by the platform
    with platform.controller() as controller:
        urls = [
            controller.submit_job_config(job_id).url,
            controller.submit_job(job_id).url,
            controller.submit_run_config(job_id, run_id).url,
        ]
    assert [client.put(url, b"content") for url in urls] == [200, 200, 200]
    with platform.controller() as controller:
        controller.upload_results(job_id, run_id, results)
        found = controller.get_job_uploads(job_id)

    # Then one LIST of one directory finds them all, and nothing else
    directory = f"jobs/{job_id}/2025/10/23/211500/"
    names = ["job_config.json", "job_input.zip", f"run_{run_id}_config.json"]
    expected = [directory + name for name in [*names, f"run_{run_id}_results.zip"]]
    assert [item["Key"] for item in deployment.listing(directory)] == expected
    assert [each.object.address.key for each in found] == expected
    assert len(deployment.listing(f"jobs/{job_id}/")) == len(expected)


def test_late_upload_lands_in_the_creation_time_directory_by_url(
    deployment: Deployment, platform: Platform, client: Client
) -> None:
    # Given a job of two years ago, whose run ended just now
    job_id = deployment.job(datetime(2023, 1, 2, 3, 4, 5, tzinfo=UTC))
    run_id = deployment.run(job_id, datetime.now(UTC))
    results = deployment.write(Artifact(ArtifactKind.RUN_RESULTS, job_id, run_id))

    # When the platform stores its results and gives somebody a URL of them
    with platform.controller() as controller:
        stored = controller.upload_results(job_id, run_id, results)
    with platform.controller() as controller:
        url = controller.get_run_results(job_id, run_id)

    # Then they are in the directory of two years ago, and are those that the URL gives
    assert stored.object.key == f"jobs/{job_id}/2023/01/02/030405/run_{run_id}_results.zip"
    assert client.get(url) == deployment.body(stored.object.key)
    row = deployment.run_row(run_id)
    assert (row["status"], row["results_uploaded_at"]) == ("DONE", stored.stored_at)
    assert row["results_url"].endswith(stored.object.key)


def test_the_results_of_all_runs_are_had_by_one_call(
    deployment: Deployment, platform: Platform, client: Client
) -> None:
    # Given a job with results of two runs, and a run without any
    job_id = deployment.job(CREATED_AT)
    first, second, _ = [deployment.run(job_id, RUN_CREATED_AT) for _ in range(3)]
    for run_id in (first, second):
        results = deployment.write(Artifact(ArtifactKind.RUN_RESULTS, job_id, run_id))
        with platform.controller() as controller:
            controller.upload_results(job_id, run_id, results)

    # When their URLs are asked for
    with platform.controller() as controller:
        urls = controller.get_job_results(job_id)
        upload = controller.submit_job_config(job_id)

    # Then each gives the results of its run
    directory = f"jobs/{job_id}/2025/10/23/211500"
    assert {run_id: client.get(url) for run_id, url in urls.items()} == {
        run_id: deployment.body(f"{directory}/run_{run_id}_results.zip")
        for run_id in (first, second)
    }
    # And is good for a day, where a URL to upload with is good for an hour
    assert ["X-Amz-Expires=86400" in each.url for each in urls.values()] == [True, True]
    assert "X-Amz-Expires=3600&" in upload.url


def test_a_url_that_signs_the_encryption_is_used_with_its_headers(
    deployment: Deployment, client: Client
) -> None:
    # Given a platform whose bucket takes only what a client asks to be encrypted
    artifact = Artifact(ArtifactKind.JOB_CONFIG, deployment.job(CREATED_AT))
    with platform_of(deployment, ARTIFACTS_URL_SIGNS_ENCRYPTION="true") as platform:
        with platform.controller() as controller:
            location = controller.submit_job_config(artifact.job_id)

        # When a client uses the URL without the headers, and with them
        refused = client.put(location.url, b"{}")
        taken, _ = client.send("PUT", location.url, b"{}", dict(location.headers))
        with platform.controller() as controller:
            controller.confirm_upload(artifact.job_id)

    # Then what it has put with them is confirmed
    assert (refused, taken) == (403, 200)
    assert deployment.body(key_of(deployment, artifact)) == b"{}"


def test_an_upload_that_nobody_confirms_is_found_by_the_reconcile(
    deployment: Deployment, platform: Platform, client: Client
) -> None:
    # Given a client that uploads and never says so
    artifact = Artifact(ArtifactKind.JOB_INPUT, deployment.job(CREATED_AT))
    with platform.controller() as controller:
        url = controller.submit_job(artifact.job_id).url
    client.put(url, b"input")

    # When the reconcile comes by, and the dispatch after it
    platform.app.send_task("artifacts.reconcile", queue="upkeep")
    transfers = SqlTransfers(deployment.stack.engine)
    deployment.wait_until(lambda: _is_due(transfers, artifact))
    _dispatch_until_confirmed(deployment, platform, artifact)

    # Then it is recorded
    assert deployment.ended(artifact, Direction.CONFIRM).state is TransferState.DONE


def test_asked_too_early_it_waits(
    deployment: Deployment, platform: Platform, client: Client
) -> None:
    # Given a URL that was not used yet, and somebody who says that it was
    artifact = Artifact(ArtifactKind.JOB_CONFIG, deployment.job(CREATED_AT))
    with platform.controller() as controller:
        url = controller.submit_job_config(artifact.job_id).url
        controller.confirm_upload(artifact.job_id)
    deployment.wait_until(lambda: _state(deployment, artifact) is TransferState.WAITING)
    waiting = deployment.transfers.latest(artifact, Direction.CONFIRM)
    assert waiting is not None
    assert (waiting.reason_code, waiting.attempts) == (ReasonCode.UPLOAD_AWAITED, 0)

    # When it is used after all
    assert client.put(url, b"late") == 200
    platform.app.send_task(
        "artifacts.confirm_upload", kwargs={"job_id": artifact.job_id}, queue="upkeep"
    )

    # Then it is confirmed
    assert deployment.ended(artifact, Direction.CONFIRM).state is TransferState.DONE


def test_a_confirmation_of_what_was_never_given_is_refused(
    deployment: Deployment, platform: Platform
) -> None:
    job_id = deployment.job(CREATED_AT)
    with platform.controller() as controller:
        assert controller.confirm_upload(job_id) == []
        with pytest.raises(InvalidRequestError, match="run_logs needs a run_id"):
            controller.request_upload(ArtifactKind.RUN_LOGS, job_id)


def test_a_client_with_an_expired_url_is_refused(
    deployment: Deployment, platform: Platform, client: Client
) -> None:
    # Given a URL that was signed two hours ago, for one
    job_id = deployment.job(CREATED_AT)
    two_hours_ago = datetime.now(UTC) - timedelta(hours=2)
    with (
        patch.object(botocore.auth, "get_current_datetime", lambda *_, **__: two_hours_ago),
        platform.controller() as controller,
    ):
        url = controller.submit_job_config(job_id).url

    # When a client uses it
    status, body = client.send("PUT", url, b"{}")

    # Then S3 refuses it, and nothing is stored
    assert status == 403
    assert b"expired" in body
    assert deployment.listing(f"jobs/{job_id}/") == []


def _state(deployment: Deployment, artifact: Artifact) -> TransferState | None:
    latest = deployment.transfers.latest(artifact, Direction.CONFIRM)
    return latest.state if latest else None


def _is_due(transfers: SqlTransfers, artifact: Artifact) -> bool:
    latest = transfers.latest(artifact, Direction.CONFIRM)
    return latest is not None and latest.next_attempt_at <= transfers.now()


def _dispatch_until_confirmed(
    deployment: Deployment, platform: Platform, artifact: Artifact
) -> None:
    def has_ended() -> bool:
        platform.app.send_task("artifacts.dispatch", queue="upkeep")
        return _state(deployment, artifact) is TransferState.DONE

    deployment.wait_until(has_ended)
