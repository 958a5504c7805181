"""`artifacts jobs uploads restore`."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from artifact_pipeline.domain.catalog import restore as use_case
from tests.cli.commands import Answer, Command
from tests.cli.shelf import CONFIG, LOGS, RESULTS, Shelf
from tests.cli.test_json import checked

pytestmark = pytest.mark.processes

RESTORE = ("jobs", "uploads", "restore", "12", "--days", "3", "--json")
LIST = ("jobs", "uploads", "list", "12", "--json")


@pytest.fixture(autouse=True)
def _filled(shelf: Shelf, artifacts: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is recorded and archived, one that is only there, and one that can be read."""
    shelf.record(CONFIG, b"config")
    archive = artifacts("jobs", "uploads", "archive", "12", "--kind", "job_config")
    assert archive.status == 0
    shelf.put(LOGS, b"logs", StorageClass="DEEP_ARCHIVE")
    shelf.put(RESULTS, b"results")
    monkeypatch.setattr("artifact_pipeline.worker.cli.jobs.uploads.restore._LOOK_SECONDS", _Often())


class _Often(dict[object, float]):
    def __missing__(self, _speed: object) -> float:
        return 0.1


def outcomes(answer: Answer) -> dict[str, str]:
    return {row["kind"]: row["outcome"] for row in answer.json}


def listed(answer: Answer) -> dict[str, str | None]:
    return {row["kind"]: row["restore"] for row in answer.json}


def test_a_dry_run_asks_for_nothing(artifacts: Command) -> None:
    answer = artifacts(*RESTORE, "--dry-run")
    checked("jobs uploads restore", answer)
    assert outcomes(answer) == {
        "job_config": "would be restored",
        "run_results": "needs no restore",
        "run_logs": "would be restored",
    }
    assert listed(artifacts(*LIST)) == {
        "job_config": "archived",
        "run_results": None,
        "run_logs": "archived",
    }


def test_a_second_restore_changes_nothing(artifacts: Command) -> None:
    # Given
    asked = artifacts(*RESTORE, "--tier", "bulk")
    assert outcomes(asked)["job_config"] == "restore requested"
    # When
    again = artifacts(*RESTORE)
    # Then
    assert (asked.status, again.status) == (0, 0)
    assert outcomes(again) == {
        "job_config": "being restored already",
        "run_results": "needs no restore",
        "run_logs": "being restored already",
    }
    assert listed(artifacts(*LIST))["job_config"] == "restoring"


def test_what_is_restored_can_be_downloaded(
    artifacts: Command, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # Given
    output = tmp_path_factory.mktemp("out")
    download = ("jobs", "uploads", "download", "12", "--kind", "job_config")
    refused = artifacts(*download, "--output-dir", str(output), "--json")
    [row] = refused.json
    assert "artifacts jobs uploads restore 12 --kind job_config --days 7 --wait" in row["error"]
    # When
    answer = artifacts(*RESTORE, "--wait", "--timeout", "60")
    # Then
    assert answer.status == 0
    assert outcomes(answer)["job_config"] == "restored"
    until = [datetime.fromisoformat(row["until"]) for row in answer.json if row["until"]]
    assert all(each > datetime.now(UTC) + timedelta(days=2) for each in until)
    assert artifacts(*download, "--output-dir", str(output)).status == 0
    assert (output / "job_config.json").read_bytes() == b"config"
    # And the list has what is recorded; nothing is, of what has no row
    assert listed(artifacts(*LIST)) == {
        "job_config": "restored",
        "run_results": None,
        "run_logs": "archived",
    }
    assert outcomes(artifacts(*RESTORE))["job_config"] == "restored"


DOWNLOAD = ("jobs", "uploads", "download", "12", "--kind", "job_config", "--json")


def test_a_download_of_what_is_archived_says_how_to_get_it(
    artifacts: Command, tmp_path: Path
) -> None:
    answer = artifacts(*DOWNLOAD, "--output-dir", str(tmp_path))
    assert answer.status == 1
    assert answer.err == (
        "archived: 1 must be restored before they can be read: `artifacts jobs uploads download 12"
        " --restore --wait` does both, and takes minutes to days\n"
    )


def test_a_download_restores_first(artifacts: Command, tmp_path: Path) -> None:
    # When
    restore = ("--restore", "--days", "3", "--tier", "bulk", "--wait", "--timeout", "60")
    answer = artifacts(*DOWNLOAD, "--output-dir", str(tmp_path), *restore)
    # Then
    assert answer.status == 0
    assert answer.err.startswith("waiting until all are restored")
    assert (tmp_path / "job_config.json").read_bytes() == b"config"
    # And only what was wanted is restored
    assert listed(artifacts(*LIST)) == {
        "job_config": "restored",
        "run_results": None,
        "run_logs": "archived",
    }
    # And a second one waits for nothing
    again = artifacts(*DOWNLOAD, "--output-dir", str(tmp_path), *restore)
    assert (again.status, again.err, outcomes(again)) == (0, "", {"job_config": "there already"})


def test_a_download_that_does_not_wait_asks_only(artifacts: Command, tmp_path: Path) -> None:
    answer = artifacts(*DOWNLOAD, "--output-dir", str(tmp_path), "--restore")
    assert answer.status == 1
    assert answer.err.startswith("archived: 1 must be restored")
    assert listed(artifacts(*LIST))["job_config"] == "restoring"


@pytest.mark.parametrize("option", [("--days", "3"), ("--tier", "bulk"), ("--wait",)])
def test_options_of_a_restore_need_it(artifacts: Command, option: tuple[str, ...]) -> None:
    answer = artifacts(*DOWNLOAD, *option)
    assert f"{option[0]} is for --restore: give that too" in answer.refusal


def test_the_time_is_over_before_it_is_restored(
    artifacts: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(use_case.RestoreArtifacts, "look", lambda _self, summary: summary)
    answer = artifacts(*RESTORE, "--wait", "--timeout", "0.2")
    assert answer.status == 1
    assert "not restored after 0.2 s: 2; the restores continue" in answer.err


def test_a_speed_that_a_tier_lacks_fails_that_one_alone(artifacts: Command) -> None:
    answer = artifacts(*RESTORE, "--tier", "expedited")
    assert answer.status == 1
    assert outcomes(answer) == {
        "job_config": "restore requested",
        "run_results": "needs no restore",
        "run_logs": "failed",
    }
    [error] = [row["error"] for row in answer.json if row["error"]]
    assert "DEEP_ARCHIVE has no expedited restores. Use --tier standard, or bulk" in error


def test_a_timeout_is_only_for_waiting(artifacts: Command) -> None:
    answer = artifacts(*RESTORE, "--timeout", "5")
    assert (answer.status, "--timeout 5 limits --wait" in answer.err) == (2, True)
