"""`artifacts jobs uploads archive`."""

import pytest

from tests.cli.commands import Answer, Command
from tests.cli.shelf import CONFIG, LOGS, RESULTS, Shelf

ARCHIVE = ("jobs", "uploads", "archive", "--job-id", "12")


@pytest.fixture(autouse=True)
def _filled(shelf: Shelf) -> None:
    """One that is recorded, one that is only there, and one in an archive tier."""
    shelf.record(CONFIG, b"config")
    shelf.put(RESULTS, b"results")
    shelf.put(LOGS, b"logs", StorageClass="DEEP_ARCHIVE")


def shown(answer: Answer) -> dict[str, tuple[str, str]]:
    return {row["kind"]: (row["outcome"], row["storage_class"]) for row in answer.json}


def test_all_that_is_not_in_one_goes_to_the_tier(artifacts: Command, shelf: Shelf) -> None:
    answer = artifacts(*ARCHIVE, "--storage-class", "GLACIER_IR", "--json")
    assert answer.status == 0
    assert shown(answer) == {
        "job_config": ("archived", "GLACIER_IR"),
        "run_results": ("archived", "GLACIER_IR"),
        "run_logs": ("archived already", "DEEP_ARCHIVE"),
    }
    classes = [shelf.storage_class(artifact) for artifact in (CONFIG, RESULTS, LOGS)]
    assert classes == ["GLACIER_IR", "GLACIER_IR", "DEEP_ARCHIVE"]
    assert shelf.stored(CONFIG).object.storage_class == "GLACIER_IR"


def test_by_default_to_glacier(artifacts: Command, shelf: Shelf) -> None:
    assert artifacts(*ARCHIVE).status == 0
    assert shelf.storage_class(RESULTS) == "GLACIER"


def test_what_may_be_read_is_downloaded_all_the_same(
    artifacts: Command, tmp_path_factory: pytest.TempPathFactory
) -> None:
    output = tmp_path_factory.mktemp("out")
    artifacts(*ARCHIVE, "--storage-class", "GLACIER_IR")
    answer = artifacts(
        *("jobs", "uploads", "download", "--job-id", "12", "--kind", "job_config"),
        *("--output-dir", str(output)),
    )
    assert answer.status == 0
    assert (output / "job_config.json").read_bytes() == b"config"


def test_a_dry_run_changes_nothing(artifacts: Command, shelf: Shelf) -> None:
    answer = artifacts(*ARCHIVE, "--storage-class", "GLACIER_IR", "--dry-run", "--json")
    assert shown(answer) == {
        "job_config": ("would be archived", "STANDARD"),
        "run_results": ("would be archived", "STANDARD"),
        "run_logs": ("archived already", "DEEP_ARCHIVE"),
    }
    assert shelf.storage_class(RESULTS) == "STANDARD"
    assert shelf.stored(CONFIG).object.storage_class == "STANDARD"


@pytest.mark.parametrize(
    "options", ["--days-since-create 1", "--hours-since-create 1", "--days-since-create 0.5"]
)
def test_what_is_younger_is_left(artifacts: Command, shelf: Shelf, options: str) -> None:
    answer = artifacts(*ARCHIVE, *options.split())
    assert (answer.status, answer.out) == (0, "there is nothing to archive\n")
    assert shelf.storage_class(RESULTS) == "STANDARD"


def test_one_failure_does_not_stop_the_others(artifacts: Command, shelf: Shelf) -> None:
    # Given one in a bucket that is not the worker's
    shelf.client.create_bucket(Bucket="attic-of-12")
    shelf.client.put_object(Bucket="attic-of-12", Key="input.zip", Body=b"zip")
    shelf.client.delete_object(Bucket=shelf.bucket, Key=shelf.stored(CONFIG).object.key)
    shelf.keep_location("s3://attic-of-12/input.zip")
    # When
    answer = artifacts(*ARCHIVE, "--storage-class", "GLACIER_IR", "--json")
    # Then
    assert answer.status == 1
    assert shown(answer)["job_config"] == ("failed", "STANDARD")
    assert shown(answer)["run_results"] == ("archived", "GLACIER_IR")
    (error,) = [row["error"] for row in answer.json if row["outcome"] == "failed"]
    assert error == "job_config of job 12: in another bucket, relocate it first"


@pytest.mark.parametrize("wrong", ["STANDARD", "glacier", "ATTIC", ""])
def test_what_is_no_archive_tier_is_wrong_use(artifacts: Command, wrong: str) -> None:
    answer = artifacts(*ARCHIVE, "--storage-class", wrong)
    assert answer.status == 2
    assert "use one of GLACIER_IR, GLACIER, DEEP_ARCHIVE" in " ".join(answer.err.split())


def test_an_age_below_nothing_is_wrong_use(artifacts: Command) -> None:
    assert artifacts(*ARCHIVE, "--days-since-create", "-1").status == 2


def test_a_job_with_nothing_says_so(artifacts: Command) -> None:
    answer = artifacts("jobs", "uploads", "archive", "--job-id", "14")
    assert (answer.status, answer.out) == (0, "there is nothing to archive\n")
