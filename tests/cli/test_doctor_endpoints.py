"""What `artifacts doctor` says of S3's endpoints, and whom a printed URL is for."""

import pytest

from artifact_pipeline.worker.diagnosis.endpoints import examine_endpoints
from artifact_pipeline.worker.diagnosis.findings import Severity
from artifact_pipeline.worker.embedded.servers import free_port
from artifact_pipeline.worker.settings import BucketSettings, load
from tests.cli.commands import Answer, Command
from tests.cli.doctor_steps import found
from tests.cli.shelf import CONFIG, Shelf

pytestmark = pytest.mark.processes

PUBLIC = "https://files.example.invalid/storage/v1/s3"


def said(answer: Answer, check: str) -> str:
    (what,) = [str(each["what"]) for each in answer.json if each["check"] == check]
    return what


def test_the_public_endpoint_is_for_urls_alone_and_is_not_tried(
    artifacts: Command, healthy: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a public host that this machine cannot reach
    monkeypatch.setenv("ARTIFACTS_S3_PUBLIC_ENDPOINT_URL", PUBLIC)
    # When
    answer = artifacts("doctor", "--json")
    # Then
    assert found(answer) == {}
    where = f"{healthy.url}, ARTIFACTS_S3_ENDPOINT_URL; the bucket is in the path"
    assert said(answer, "S3 endpoint") == where
    assert said(answer, "S3 public endpoint") == (
        f"presigned URLs are made for {PUBLIC}; it is not tried from here"
    )
    # And: so is a URL that is printed
    url = artifacts("jobs", "uploads", "url", "12", "--kind", CONFIG.kind).out
    assert url.startswith(f"{PUBLIC}/{healthy.bucket}/jobs/12/")


@pytest.mark.usefixtures("no_backoff")
def test_where_s3_is_away_the_endpoints_are_named_all_the_same(
    artifacts: Command, healthy: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    nowhere = f"http://127.0.0.1:{free_port()}"
    monkeypatch.delenv("ARTIFACTS_S3_ENDPOINT_URL")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", nowhere)
    monkeypatch.setenv("ARTIFACTS_S3_PUBLIC_ENDPOINT_URL", PUBLIC)
    # When
    answer = artifacts("doctor", "--json")
    # Then
    assert list(found(answer)) == ["error bucket"]
    assert said(answer, "S3 endpoint").startswith(f"{nowhere}, AWS_ENDPOINT_URL_S3; ")
    assert healthy


@pytest.mark.parametrize("url", ["http://localhost:9000", "http://127.0.0.2", "http://[::1]:9000"])
def test_a_public_endpoint_of_this_machine_alone(
    healthy: Shelf, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    # Given
    monkeypatch.setenv("ARTIFACTS_S3_ENDPOINT_URL", "http://minio:9000")
    monkeypatch.setenv("ARTIFACTS_S3_PUBLIC_ENDPOINT_URL", url)
    # When
    _, public = examine_endpoints(load(BucketSettings))
    # Then
    assert public.severity is Severity.WARNING
    assert public.what.startswith(f"ARTIFACTS_S3_PUBLIC_ENDPOINT_URL={url}: ")
    # But where all is on one machine, as in development
    monkeypatch.setenv("ARTIFACTS_S3_ENDPOINT_URL", healthy.url)
    assert [each.severity for each in examine_endpoints(load(BucketSettings))] == [Severity.OK] * 2


def test_a_public_endpoint_of_a_wrong_form_is_named(
    artifacts: Command, healthy: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARTIFACTS_S3_PUBLIC_ENDPOINT_URL", f"{PUBLIC}?x=1")
    answer = artifacts("doctor", "--json")
    assert list(found(answer)) == ["error settings"]
    assert answer.json[0]["what"].startswith("ARTIFACTS_S3_PUBLIC_ENDPOINT_URL: ")
    assert healthy
