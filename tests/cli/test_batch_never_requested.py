"""`artifacts batch preview --never-requested`: artifacts of jobs that the pipeline never saw."""

import shlex
from pathlib import Path

import pytest

from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import TransferState
from tests.cli.commands import Command
from tests.sql.batch_steps import History

PREVIEW = ("batch", "preview", "--never-requested")
BEFORE_COMMAND = "nothing has changed yet. To start the batch:\n"


@pytest.fixture(autouse=True)
def _old_jobs(history: History) -> None:
    """Beside the four whose configs have failed, two jobs that were never requested."""
    history.job(50, [500])
    history.job(60, user_id=8)


def test_people_see_that_they_were_never_requested(artifacts: Command) -> None:
    answer = artifacts(*PREVIEW, "--kind", "job_config")
    assert (answer.status, answer.err) == (0, "")
    for line in (
        "snapshot 1: 2 members, to be started until ",
        "upload     job_config  never requested        2",
        "job 50",
        "members by mode: --mode failed 0, --mode missing 2, --mode all 2",
        f'{BEFORE_COMMAND}artifacts batch start 1 --reason "…" --mode missing',
    ):
        assert line in answer.out


def test_the_command_that_it_recommends_starts_it(artifacts: Command, history: History) -> None:
    preview = artifacts(*PREVIEW, "--kind", "job_config")
    recommended = shlex.split(preview.out.rpartition(f"{BEFORE_COMMAND}artifacts ")[2])
    started = artifacts(*recommended, "--json").json
    assert started["members"] == 2
    assert [each.artifact.job_id for each in history.release(started["batch"])] == [50, 60]


def test_programs_get_no_state(artifacts: Command) -> None:
    told = artifacts(*PREVIEW, "--run-id", "500", "--json").json
    assert {(group["kind"], group["state"]) for group in told["groups"]} == {
        (kind, None) for kind in ("run_config", "run_results", "run_logs")
    }
    assert told["filter"]["never_requested"] is True


@pytest.mark.parametrize(
    ("options", "members"),
    [
        ("--user-id 8", 2),
        # Four inputs of jobs whose configs alone were requested, and both of job 50.
        ("--job-id 1-50 --kind job_config --kind job_input", 4 + 2),
        ("--kind run_results --direction download", 1),
        ("--kind job_config --created-after 2030-01-01", 0),
        ("--kind job_config --tag urgent", 0),
    ],
)
def test_filters_of_jobs_apply(artifacts: Command, options: str, members: int) -> None:
    assert artifacts(*PREVIEW, *options.split(), "--json").json["members"] == members


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ("--state quarantined", "--state"),
        ("--reason-code source_missing", "--reason-code"),
        ("--failed-after 2026-01-01 --state done", "--state, --failed-after"),
    ],
)
def test_filters_of_a_last_transfer_are_refused_in_one_line(
    artifacts: Command, options: str, named: str
) -> None:
    line = artifacts(*PREVIEW, *options.split()).err.splitlines()[0]
    assert line == (
        f"artifacts batch preview: Invalid value: {named} and --never-requested: artifacts that"
        " were never requested have no last transfer; give only one of them"
    )


def test_what_is_stored_needs_its_companion(artifacts: Command) -> None:
    answer = artifacts("batch", "preview", "--include-stored")
    assert "--include-stored belongs to --never-requested: give both" in answer.refusal


class TestFile:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "list.csv"

    def test_artifacts_that_never_had_a_transfer(self, artifacts: Command, path: Path) -> None:
        path.write_text("1,,job_config\n50,,job_config\n50,500,run_results\n60,,job_input\n")
        told = artifacts("batch", "preview", "--from-file", str(path), "--json").json
        assert (told["members"], told["filter"].get("unmatched", 0)) == (4, 0)
        assert told["modes"] == {"failed": 1, "missing": 4, "all": 4}

    def test_whole_jobs_that_never_had_one(self, artifacts: Command, path: Path) -> None:
        # Given lines that name no kind
        path.write_text("50\n60\n")
        # When nothing says what is meant, then the remedy is named
        answer = artifacts("batch", "preview", "--from-file", str(path))
        assert answer.status == 1
        assert answer.out == (
            "no transfer matches the options\nleft out: 2 lines of the file that match nothing;"
            " --never-requested finds artifacts that were never requested\n"
        )
        # And with it they are members
        told = artifacts(*PREVIEW, "--from-file", str(path), "--json").json
        assert told["members"] == 2 + 3 + 2

    @pytest.mark.parametrize("options", ["--state quarantined", "--never-requested"])
    def test_the_remedy_is_not_named_where_it_is_none(
        self, artifacts: Command, path: Path, options: str
    ) -> None:
        path.write_text("99\n")
        answer = artifacts("batch", "preview", "--from-file", str(path), *options.split())
        assert answer.out == (
            "no transfer matches the options\nleft out: 1 lines of the file that match nothing\n"
        )


def test_a_second_preview_leaves_out_what_the_first_has_requested(
    artifacts: Command, history: History
) -> None:
    # Given a backfill that is done
    batch = history.start(
        history.preview(never_requested=True, kinds=[ArtifactKind.JOB_CONFIG]).batch.id
    )
    history.end(history.release(batch.id), TransferState.DONE)
    # When it is asked for again, then there is nothing left
    answer = artifacts(*PREVIEW, "--kind", "job_config")
    assert (answer.status, answer.out) == (1, "no transfer matches the options\n")
