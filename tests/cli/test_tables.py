"""Tables on terminals of several widths, in pipes and with `--wide`."""

from collections.abc import Sequence

import pytest

from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.domain.reasons import ReasonCode
from artifact_pipeline.worker.cli.tables import cut_middle
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from tests.cli.commands import Command, finish, quarantined
from tests.cli.shelf import CONFIG, LOGS, RESULTS, RUN_CONFIG, Shelf
from tests.sql.batch_steps import History

WIDTHS = ("60", "80", "120")
LISTS = [
    ("jobs", "list"),
    ("jobs", "info", "12"),
    ("jobs", "status", "12"),
    ("quarantine", "list"),
]
SHELF_LISTS = [
    ("jobs", "uploads", "list", "12"),
    ("jobs", "uploads", "relocate", "12", "--dry-run"),
    ("jobs", "uploads", "archive", "12", "--dry-run"),
]
# These are as wide as their text, so each of them is shown in full, or not at all.
RIGID = {
    *(kind.value for kind in ArtifactKind),
    *(reason.value for reason in ReasonCode),
}


@pytest.fixture(params=WIDTHS)
def width(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setenv("COLUMNS", request.param)
    return int(request.param)


@pytest.fixture
def ended(transfers: SqlTransfers) -> None:
    """A stored artifact, and one given up with a long error."""
    for request_id, artifact in (("done", CONFIG), ("failed", LOGS)):
        transfers.request(artifact, Direction.UPLOAD, request_id)
    finish(transfers, CONFIG, "done")
    finish(transfers, LOGS, "failed", quarantined)


def tables(out: str) -> list[list[str]]:
    """The tables that are printed, as lines; prose between them has no second line."""
    blocks = [block.splitlines() for block in out.split("\n\n")]
    return [block for block in blocks if len(block) > 1]


def assert_fits(out: str, width: int) -> None:
    assert tables(out)
    for header, *rows in tables(out):
        for line in (header, *rows):
            assert len(line.rstrip()) <= width, line
        for row in rows:
            # A folded cell would go on in a line that begins with blanks.
            assert row.strip(), out
            assert len(row.split()) >= 2, out


@pytest.mark.usefixtures("ended")
@pytest.mark.parametrize("command", LISTS, ids=" ".join)
def test_a_list_fits_the_terminal(artifacts: Command, width: int, command: Sequence[str]) -> None:
    # When
    answer = artifacts(*command)
    # Then
    assert (answer.status, answer.err) == (0, "")
    assert_fits(answer.out, width)


@pytest.mark.parametrize("command", SHELF_LISTS, ids=" ".join)
def test_what_is_in_the_bucket_fits_the_terminal(
    artifacts: Command, shelf: Shelf, ended: None, width: int, command: Sequence[str]
) -> None:
    # Given an artifact under its key, one elsewhere, and one that was given up
    del ended
    shelf.record(RUN_CONFIG, b"recorded")
    shelf.put_old(RESULTS, b"old")
    # When
    answer = artifacts(*command)
    # Then
    assert (answer.status, answer.err) == (0, "")
    assert_fits(answer.out, width)


@pytest.mark.parametrize("command", [("batch", "preview"), ("batch", "list")], ids=" ".join)
def test_batches_fit_the_terminal(
    artifacts: Command, history: History, width: int, command: Sequence[str]
) -> None:
    # Given
    history.start(history.preview(user_ids=[7]).batch.id, reason="the share was not mounted " * 5)
    # When
    answer = artifacts(*command)
    # Then
    assert answer.status == 0
    group, *_ = [table for table in tables(answer.out) if "kind" in table[0] or "batch" in table[0]]
    assert max(len(line.rstrip()) for line in group) <= width


def test_addresses_are_whole_beside_their_directory(
    artifacts: Command, shelf: Shelf, ended: None, width: int
) -> None:
    # Given two artifacts in the job's directory, and one elsewhere
    del ended
    shelf.record(RUN_CONFIG, b"recorded")
    shelf.record(LOGS, b"recorded")
    shelf.put_old(RESULTS, b"old")
    # When
    directory, _, *rows = artifacts("jobs", "uploads", "list", "12").out.splitlines()
    # Then each name is whole where there is room for the column, and the directory stands once
    assert directory == f"location: s3://{shelf.bucket}/jobs/12/2025/10/23/211500/"
    if "location" in rows[0]:
        words = " ".join(rows).split()
        assert f"run_{LOGS.run_id}_logs.log" in words
        assert f"run_{RUN_CONFIG.run_id}_config.json" in words
    assert ("location" in rows[0]) == (width >= 80)


@pytest.mark.usefixtures("ended")
def test_a_path_keeps_its_last_name(artifacts: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    out = artifacts("jobs", "info", "12").out
    assert "jobs/12/" in out
    assert "…/job_config" in out


@pytest.mark.usefixtures("ended")
def test_words_that_mean_something_are_never_cut(artifacts: Command, width: int) -> None:
    del width
    header, row = artifacts("quarantine", "list").out.splitlines()
    assert "reason" in header
    assert {word for word in row.split() if word in RIGID} >= {"run_logs", "source_missing"}


@pytest.mark.usefixtures("ended")
def test_a_pipe_and_wide_show_all_of_it(
    artifacts: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    piped = artifacts("quarantine", "list").out
    monkeypatch.setenv("COLUMNS", "60")
    # When
    brief, wide = artifacts("quarantine", "list").out, artifacts("quarantine", "list", "--wide").out
    # Then
    assert wide == piped
    assert "there is no [red]log of [bold]run 4" in wide
    assert "there is no [red]log of [bold]run 4" not in brief
    assert len(wide.splitlines()[0].split()) > len(brief.splitlines()[0].split())


@pytest.mark.usefixtures("database")
def test_numbers_are_aligned_to_the_right(artifacts: Command) -> None:
    header, *rows = artifacts("jobs", "list").out.splitlines()
    end = header.index("job id") + len("job id")
    assert [row[:end] for row in rows] == ["    14", "    13", "    12"]


@pytest.mark.parametrize(
    ("text", "width", "cut"),
    [
        ("short", 10, "short"),
        ("jobs/12/2025/10/23/211500/run_4_results.zip", 30, "jobs/12/…/run_4_results.zip"),
        ("jobs/12/2025/10/23/211500/run_4_results.zip", 19, "jobs/12/2…sults.zip"),
        ("jobs/12/2025/10/23/211500/", 20, "jobs/12/…/211500/"),
        ("there is no log of run 4", 13, "there … run 4"),
        ("two\nlines", 20, "two lines"),
        ("文件文件文件文件", 9, "文件…文件"),
    ],
)
def test_what_is_long_is_cut_in_the_middle(text: str, width: int, cut: str) -> None:
    assert cut_middle(text, width) == cut


def test_a_mark_of_three_dots_takes_its_room() -> None:
    assert cut_middle("there is no log of run 4", 13, "...") == "there...run 4"
