"""`artifacts jobs uploads delete` and `undelete`."""

from typing import Any

import pytest
from mypy_boto3_s3 import S3Client

from artifact_pipeline.domain.catalog.delete_job import DeleteArtifacts
from artifact_pipeline.domain.catalog.deletion_plan import DeletionRequest
from artifact_pipeline.domain.catalog.locate import LocateArtifacts
from artifact_pipeline.domain.catalog.placement import Placement
from artifact_pipeline.domain.model.addresses import parse_address
from artifact_pipeline.worker.cli import confirmation
from artifact_pipeline.worker.s3.object_versions import S3ObjectVersions
from artifact_pipeline.worker.s3.reading import S3ObjectReader
from artifact_pipeline.worker.sql.artifacts import SqlArtifacts
from artifact_pipeline.worker.sql.legal_holds import SqlLegalHolds
from artifact_pipeline.worker.sql.platform import SqlJobs, SqlRuns
from artifact_pipeline.worker.sql.tombstones import SqlTombstones
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from tests.cli.commands import Answer, Command
from tests.cli.shelf import CONFIG, INPUT, OF_13, RESULTS, Shelf, key_of
from tests.s3.steps import Requests

pytestmark = pytest.mark.processes

DELETE = ("jobs", "uploads", "delete", "12")
UNDELETE = ("jobs", "uploads", "undelete", "12")
NOT_DONE = "nothing was deleted; give --yes to delete these objects and to refuse later uploads"


@pytest.fixture(autouse=True)
def _filled(shelf: Shelf) -> None:
    """Two that are recorded, one that is only there, and one of another job."""
    shelf.record(CONFIG, b"config")
    shelf.record(RESULTS, b"results")
    shelf.put(INPUT, b"input")
    shelf.put(OF_13, b"other")


def outcomes(answer: Answer) -> dict[str, str]:
    return {row["kind"]: row["outcome"] for row in answer.json}


@pytest.mark.parametrize("options", [(), ("--dry-run",)], ids=["bare", "dry run"])
def test_it_only_shows_what_would_go(
    artifacts: Command, shelf: Shelf, options: tuple[str, ...]
) -> None:
    # When
    answer = artifacts(*DELETE, *options, "--json")
    # Then
    assert answer.status == 0
    assert {*outcomes(answer).items()} == {
        (kind, "would be deleted") for kind in ("job_config", "job_input", "run_results")
    }
    assert answer.err.splitlines() == ["would be deleted: 3 (18 bytes)", NOT_DONE]
    assert len(shelf.keys()) == 4
    assert artifacts("history", "12", "--json").json == []


def test_it_deletes_all_of_the_job(artifacts: Command, shelf: Shelf) -> None:
    # When
    answer = artifacts(*DELETE, "--yes", "--reason", "not needed", "--actor", "ann", "--json")
    # Then
    assert answer.status == 0
    assert {*outcomes(answer).values()} == {"deleted"}
    assert shelf.keys() == {key_of(OF_13)}
    assert artifacts("jobs", "info", "12", "--json").json["artifacts"] == []
    [entry] = artifacts("history", "12", "--json").json
    assert (entry["what"], entry["by"], entry["reason"]) == ("uploads delete", "ann", "not needed")
    assert (entry["outcome"], entry["detail"]) == ("done", "deleted: 3 (18 bytes)")
    # And nothing of it is listed or missed any more
    assert artifacts("jobs", "uploads", "list", "12", "--json").json == []
    assert artifacts("jobs", "uploads", "verify", "12", "--json").json == []


def test_only_a_kind_or_a_run(artifacts: Command, shelf: Shelf) -> None:
    # When, Then
    assert artifacts(*DELETE, "--kind", "job_input", "--kind", "run_logs", "--yes").status == 0
    assert shelf.keys() == {key_of(each) for each in (CONFIG, RESULTS, OF_13)}
    assert artifacts(*DELETE, "--run-id", "4", "--yes").status == 0
    assert shelf.keys() == {key_of(CONFIG), key_of(OF_13)}


@pytest.mark.parametrize(("said", "left"), [("n\n", 4), ("y\n", 1)])
def test_it_asks_on_a_terminal(
    artifacts: Command, shelf: Shelf, monkeypatch: pytest.MonkeyPatch, said: str, left: int
) -> None:
    # Given
    asked: list[str] = []

    def confirm(question: str, **_: Any) -> bool:
        asked.append(question)
        return said == "y\n"

    monkeypatch.setattr(confirmation, "is_terminal", lambda: True)
    monkeypatch.setattr("typer.confirm", confirm)
    # When
    answer = artifacts(*DELETE)
    # Then
    assert answer.status == 0
    assert asked == ["Delete 3 objects of job 12?"]
    assert len(shelf.keys()) == left


@pytest.mark.usefixtures("queues")
def test_a_later_request_is_refused_until_it_is_taken_back(artifacts: Command) -> None:
    # Given
    artifacts(*DELETE, "--kind", "run_results", "--yes", "--actor", "ann")
    upload = ("jobs", "upload", "12", "--run-id", "4", "--kind", "run_results")
    # When
    answer = artifacts(*upload)
    # Then
    assert answer.status == 1
    assert answer.error == (
        "artifacts: run_results of job 12: deleted by ann."
        " `artifacts jobs uploads undelete 12` takes uploads again"
    )
    # When, Then
    assert artifacts(*UNDELETE, "--json").json == {"job_id": 12, "lifted": 1}
    assert artifacts(*upload).status == 0


def test_a_wider_deletion_is_taken_back_as_a_whole(artifacts: Command) -> None:
    # Given
    artifacts(*DELETE, "--run-id", "4", "--yes")
    # When
    answer = artifacts(*UNDELETE, "--run-id", "4", "--kind", "run_logs")
    # Then
    assert answer.status == 1
    assert answer.error.endswith(
        "it was deleted with all kinds of run 4 of job 12, which can only be undone as a"
        " whole: give --run-id 4"
    )
    assert artifacts(*UNDELETE, "--run-id", "4").status == 0
    assert artifacts(*UNDELETE, "--run-id", "4").status == 1  # there is nothing more


def test_what_is_on_hold_is_refused(artifacts: Command, shelf: Shelf) -> None:
    # Given
    artifacts("jobs", "hold", "set", "12", "--reason", "case 7")
    # When, Then
    for options in ((), ("--yes",)):
        answer = artifacts(*DELETE, *options)
        assert answer.status == 1
        assert answer.error.startswith("artifacts: job 12 is on legal hold since ")
    assert len(shelf.keys()) == 4
    last = artifacts("history", "12", "--json").json[-1]
    assert (last["what"], last["outcome"]) == ("uploads delete", "refused")


def test_versions_are_kept_unless_they_are_asked_for(artifacts: Command, shelf: Shelf) -> None:
    # Given
    status: Any = {"Status": "Enabled"}
    shelf.client.put_bucket_versioning(Bucket=shelf.bucket, VersioningConfiguration=status)
    shelf.put(INPUT, b"another input")
    # When, Then
    assert artifacts(*DELETE, "--yes").status == 0
    assert versions_of_12(shelf) > 0
    assert artifacts(*DELETE, "--all-versions", "--yes").status == 0
    assert versions_of_12(shelf) == 0


def versions_of_12(shelf: Shelf) -> int:
    listed = shelf.client.list_object_versions(Bucket=shelf.bucket, Prefix="jobs/12/")
    return len(listed.get("Versions", [])) + len(listed.get("DeleteMarkers", []))


def test_what_object_lock_keeps_is_reported(
    artifacts: Command, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an object that another program has put on legal hold
    bucket = f"{shelf.bucket}-locks"
    shelf.client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    monkeypatch.setenv("ARTIFACTS_BUCKET", bucket)
    monkeypatch.setattr("artifact_pipeline.domain.catalog.delete_job._ROUNDS", 1)
    for artifact in (CONFIG, INPUT):
        shelf.client.put_object(Bucket=bucket, Key=key_of(artifact), Body=b"x")
    shelf.client.put_object_legal_hold(
        Bucket=bucket, Key=key_of(CONFIG), LegalHold={"Status": "ON"}
    )
    # When
    answer = artifacts(*DELETE, "--all-versions", "--yes", "--json")
    # Then the results are deleted where the platform's row says that they are
    assert answer.status == 1
    assert outcomes(answer) == {
        "job_config": "refused",
        "job_input": "deleted",
        "run_results": "deleted",
    }
    assert {row["error"] for row in answer.json} == {None, "AccessDenied"}
    assert artifacts("history", "12", "--json").json[-1]["outcome"] == "partial"


def test_a_thousand_objects_are_one_list_and_one_delete(shelf: Shelf, s3_client: S3Client) -> None:
    # Given one more than a thousand
    for number in range(998):
        s3_client.put_object(
            Bucket=shelf.bucket, Key=f"jobs/12/2025/10/23/211500/{number}", Body=b""
        )
    reader = S3ObjectReader(client=s3_client, bucket=shelf.bucket)
    deletion = DeleteArtifacts(
        locate=LocateArtifacts(
            placement=Placement(jobs=SqlJobs(shelf.engine), runs=SqlRuns(shelf.engine)),
            artifacts=SqlArtifacts(shelf.engine),
            reader=reader,
            address_of=parse_address,
        ),
        versions=S3ObjectVersions(client=s3_client, bucket=shelf.bucket),
        transfers=SqlTransfers(shelf.engine),
        tombstones=SqlTombstones(shelf.engine),
        holds=SqlLegalHolds(shelf.engine),
    )
    sent = Requests(s3_client)
    # When
    summary = deletion(DeletionRequest(job_id=12), "ann", None)
    # Then: the last list is the one that shows nothing
    assert len(summary.deleted) == 1001
    assert sent.names == [*["ListObjectsV2"] * 2, *["DeleteObjects"] * 2, "ListObjectsV2"]
