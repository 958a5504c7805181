"""`artifacts jobs uploads archive`."""

from dataclasses import replace
from time import monotonic

import pytest

from artifact_pipeline.domain.model.artifacts import Artifact
from tests.cli.commands import Answer, Command
from tests.cli.shelf import CONFIG, INPUT, LOGS, RESULTS, RUN_CONFIG, Shelf

pytestmark = pytest.mark.processes

OF_12 = ("jobs", "uploads", "archive", "--job-id", "12")
ARCHIVE = (*OF_12, "--all-kinds")


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
    assert shelf.stored(CONFIG).object.tier_name == "GLACIER_IR"


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
    assert shelf.stored(CONFIG).object.tier_name == "STANDARD"


@pytest.mark.parametrize(
    "options", ["--days-since-create 1", "--hours-since-create 1", "--days-since-create 0.5"]
)
def test_what_is_younger_is_left(artifacts: Command, shelf: Shelf, options: str) -> None:
    answer = artifacts(*ARCHIVE, *options.split())
    assert (answer.status, answer.out) == (0, "no artifact to archive\n")
    assert shelf.storage_class(RESULTS) == "STANDARD"


def test_a_late_upload_of_an_old_job_is_archived_by_the_jobs_age(
    artifacts: Command, shelf: Shelf
) -> None:
    # Given a job of 2025, whose artifacts were stored just now
    old = ("--days-since-job-created", "1", "--json")
    # When / Then: the age of each object counts beside it
    assert artifacts(*ARCHIVE, *old, "--days-since-create", "1").json == []
    assert artifacts(*ARCHIVE, "--days-since-job-created", "100000", "--json").json == []
    assert set(shown(artifacts(*OF_12, *old, "--dry-run"))) == {"job_config"}
    assert shelf.storage_class(CONFIG) == "STANDARD"
    # When / Then: it alone
    assert artifacts(*OF_12, *old).status == 0
    assert is_archived(shelf, CONFIG)


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
    assert (answer.status, answer.out) == (0, "no artifact to archive\n")


class TestKinds:
    @pytest.fixture(autouse=True)
    def _of_each_kind(self, shelf: Shelf) -> None:
        shelf.put(INPUT, b"input")
        shelf.put(RUN_CONFIG, b"run config")

    def test_by_default_configs_and_inputs(self, artifacts: Command, shelf: Shelf) -> None:
        answer = artifacts(*OF_12)
        assert (answer.status, answer.err) == (0, "")
        archived = [kind for kind in (CONFIG, INPUT, RUN_CONFIG) if is_archived(shelf, kind)]
        assert archived == [CONFIG, INPUT, RUN_CONFIG]
        assert shelf.storage_class(RESULTS) == "STANDARD"
        # The logs are in an archive already.
        assert answer.out.endswith("left: 1 of run_results; --all-kinds archives them too\n")

    def test_nothing_is_said_of_others_that_were_not_wanted(self, artifacts: Command) -> None:
        assert "left:" not in artifacts(*OF_12, "--kind", "job_config").out
        assert "left:" not in artifacts(*ARCHIVE).out

    @pytest.mark.parametrize(
        ("options", "kinds"),
        [
            ("--kind run_results", {"run_results"}),
            ("--kind run_results --kind job_input", {"run_results", "job_input"}),
            ("--run-id 4", {"run_config"}),
            ("--run-id 4 --all-kinds", {"run_config", "run_results"}),
            ("--run-id 4 --kind run_results", {"run_results"}),
            ("--run-id 5 --kind run_results", set()),
            ("--all-kinds", {"job_config", "job_input", "run_config", "run_results", "run_logs"}),
        ],
    )
    def test_only_what_was_chosen(self, artifacts: Command, options: str, kinds: set[str]) -> None:
        dry = artifacts(*OF_12, *options.split(), "--dry-run", "--json").json
        done = artifacts(*OF_12, *options.split(), "--json").json
        assert {row["kind"] for row in dry} == {row["kind"] for row in done} == kinds

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ("--kind job_config --all-kinds", "--kind and --all-kinds exclude each other"),
            ("--kind run_config --kind job_input --run-id 4", "job_input belongs to the job"),
            ("--kind nope", "'nope' is not one of"),
            ("--run-id 0", "--run-id"),
        ],
    )
    def test_a_wrong_choice_is_named(self, artifacts: Command, options: str, said: str) -> None:
        assert said in artifacts(*OF_12, *options.split()).refusal

    @pytest.mark.parametrize(
        ("run_id", "said"),
        [("7", "run 7 is not a run of job 12"), ("99", "there is no run 99")],
    )
    def test_a_run_of_nothing_is_one_line(self, artifacts: Command, run_id: str, said: str) -> None:
        answer = artifacts(*OF_12, "--run-id", run_id)
        assert (answer.status, answer.error) == (1, f"artifacts: {said}")


def test_given_days_and_hours_the_hours_count(artifacts: Command, shelf: Shelf) -> None:
    # Given objects that are older than S3's clock can tell, which counts in seconds
    ages = ("--days-since-create", "10", "--hours-since-create", "0.000001")
    deadline = monotonic() + 10
    while not artifacts(*OF_12, *ages, "--dry-run", "--json").json:
        assert monotonic() < deadline
    # When
    answer = artifacts(*OF_12, *ages)
    # Then by the platform's rule: added, the age would be more than ten days
    assert answer.status == 0
    assert is_archived(shelf, CONFIG)


def test_zero_hours_beside_days_archive_nothing(artifacts: Command, shelf: Shelf) -> None:
    # By the same rule this would take everything, however many days were asked for.
    answer = artifacts(*OF_12, "--days-since-create", "10", "--hours-since-create", "0")
    assert "hours_since_create is 0 and days_since_create is 10" in answer.refusal
    assert shelf.storage_class(CONFIG) == "STANDARD"


def test_zero_hours_alone_archive_everything(artifacts: Command, shelf: Shelf) -> None:
    assert artifacts(*OF_12, "--hours-since-create", "0").status == 0
    assert is_archived(shelf, CONFIG)


class TestByTheBucketsOwnRules:
    @pytest.fixture(autouse=True)
    def _archived_by_a_rule(self, shelf: Shelf) -> None:
        """As a lifecycle rule leaves it, or the platform's own archive: the ETag is the same."""
        key = shelf.stored(CONFIG).object.key
        shelf.client.copy_object(
            Bucket=shelf.bucket,
            Key=key,
            CopySource={"Bucket": shelf.bucket, "Key": key},
            StorageClass="GLACIER",
            MetadataDirective="COPY",
        )
        assert shelf.stored(CONFIG).object.tier_name == "STANDARD"

    def test_the_list_shows_the_class_that_it_has_now(self, artifacts: Command) -> None:
        rows = artifacts("jobs", "uploads", "list", "12", "--json").json
        assert [
            (row["state"], row["found_by"], row["storage_class"])
            for row in rows
            if row["kind"] == "job_config"
        ] == [("stored", "row", "GLACIER")]

    def test_it_is_archived_already_and_its_row_says_so(
        self, artifacts: Command, shelf: Shelf
    ) -> None:
        before = shelf.stored(CONFIG)
        answer = artifacts(*OF_12, "--storage-class", "DEEP_ARCHIVE", "--json")
        assert shown(answer) == {"job_config": ("archived already", "GLACIER")}
        after = shelf.stored(CONFIG)
        assert after.object == replace(before.object, tier_name="GLACIER")
        assert after.stored_at == before.stored_at

    def test_a_dry_run_leaves_its_row(self, artifacts: Command, shelf: Shelf) -> None:
        answer = artifacts(*OF_12, "--dry-run", "--json")
        assert shown(answer) == {"job_config": ("archived already", "GLACIER")}
        assert shelf.stored(CONFIG).object.tier_name == "STANDARD"


def is_archived(shelf: Shelf, artifact: Artifact) -> bool:
    return shelf.storage_class(artifact) == "GLACIER"
