"""`artifacts batch preview`: what it shows, and which options it takes."""

import io
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from artifact_pipeline.domain.model.batches import BatchFilter
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.selection import IdRange
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.domain.reasons import ReasonCode
from tests.cli.commands import Command
from tests.sql.batch_steps import History, config_of

START = ("--reason", "a test")
BEFORE_COMMAND = "nothing has changed yet. To start the batch:\n"


class TestPreview:
    def test_people_see_what_it_would_be(self, artifacts: Command, history: History) -> None:
        history.job(5)
        history.transfer(config_of(5), TransferState.RUNNING)
        answer = artifacts("batch", "preview", "--rate", "2/s")
        assert answer.status == 0
        for line in (
            "snapshot 1: 4 members, to be started until ",
            "upload     job_config  quarantined        4       0     0 bytes  4–4",  # noqa: RUF001
            "job 1    -       job_config  upload           7",
            "left out: 1 already running",
            "requests to the store: 4 if all is unchanged, up to 4",
            "at 2/s it takes 2s",
            "members by mode: --mode failed 4, --mode missing 4, --mode all 4",
            f'{BEFORE_COMMAND}artifacts batch start 1 --reason "…" --rate 2/s',
        ):
            assert line in answer.out

    def test_programs_get_all_of_it(self, artifacts: Command, history: History) -> None:
        history.job(5)
        history.transfer(config_of(5), TransferState.DONE, stored=100)
        told = artifacts("batch", "preview", "--json", "--rate", "10").json
        assert (told["members"], told["seconds"]) == (5, 1)
        assert told["modes"] == {"failed": 4, "missing": 4, "all": 5}
        assert [group["known_bytes"] for group in told["groups"]] == [100, 0]
        assert (told["requests_at_least"], told["requests_at_most"]) == (5, 5)

    def test_what_the_workspace_has_not_is_left_out(
        self, artifacts: Command, history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        del history
        monkeypatch.setenv("ARTIFACTS_WORKSPACE", str(tmp_path))
        (tmp_path / "job_3").mkdir()
        (tmp_path / "job_3" / "job_config.json").write_bytes(b"{}")
        told = artifacts("batch", "preview", "--json").json
        assert (told["members"], told["left_out"]) == (1, {"no source": 3})

    def test_nothing_fits(self, artifacts: Command, history: History) -> None:
        del history
        answer = artifacts("batch", "preview", "--user-id", "99")
        assert (answer.status, answer.out) == (1, "no transfer matches the options\n")

    def test_what_nobody_can_start_is_not_kept(self, artifacts: Command, history: History) -> None:
        # When
        told = artifacts("batch", "preview", "--user-id", "99", "--json").json
        # Then
        assert (told["snapshot"], told["members"]) == (None, 0)
        assert history.batches.newest(5) == []

    @pytest.mark.parametrize(
        ("state", "stored", "mode"),
        [
            (TransferState.QUARANTINED, 100, "failed"),
            (TransferState.DONE, None, "missing"),
            (TransferState.DONE, 100, "all"),
        ],
    )
    def test_the_command_that_it_recommends_starts_it(
        self,
        artifacts: Command,
        history: History,
        state: TransferState,
        stored: int | None,
        mode: str,
    ) -> None:
        # Given one member, which only some modes take
        history.job(5)
        history.transfer(config_of(5), state, stored=stored)
        # When somebody does as the preview says
        preview = artifacts("batch", "preview", "--job-id", "5", "--rate", "0.5/s")
        recommended = shlex.split(preview.out.rpartition(f"{BEFORE_COMMAND}artifacts ")[2])
        answer = artifacts(*recommended, "--json")
        # Then
        assert (answer.status, answer.err) == (0, "")
        started = answer.json
        assert (started["mode"], started["members"], started["rate"]) == (mode, 1, 0.5)

    @pytest.mark.usefixtures("history")
    @pytest.mark.parametrize(
        ("lines", "members", "unmatched"),
        [
            ("1\n2,\n3,,job_config\n", 3, 0),
            ("job_id,run_id,kind\n# last night's\n\n1,,\n", 1, 0),
            ("1\n99\n98,7\n", 1, 2),
            ("", 0, 0),
        ],
    )
    def test_members_from_a_file(  # noqa: PLR0913, PLR0917 - a table
        self,
        artifacts: Command,
        lines: str,
        members: int,
        unmatched: int,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        (tmp_path / "list.csv").write_text(lines)
        monkeypatch.setattr("sys.stdin", io.StringIO(lines))
        for source in ("-", str(tmp_path / "list.csv")):
            told = artifacts("batch", "preview", "--json", "--from-file", source).json
            assert told["members"] == members
            assert told["filter"].get("unmatched", 0) == unmatched

    @pytest.mark.usefixtures("history")
    @pytest.mark.parametrize(
        "line", ["x", "0", "1,x", "1,4,nope", "1,4,job_config", "1,4,run_logs,more", "1.5", "-1"]
    )
    def test_a_wrong_line_is_named_and_nothing_kept(
        self, artifacts: Command, line: str, tmp_path: Path
    ) -> None:
        path = tmp_path / "list.csv"
        path.write_text(f"1\n{line}\n")
        answer = artifacts("batch", "preview", "--from-file", str(path))
        assert answer.status == 1
        assert answer.error == f"artifacts: {path}, line 2: use job_id[,run_id[,kind]]"
        assert artifacts("batch", "list", "--json").json == []

    @pytest.mark.usefixtures("history")
    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (None, ": No such file or directory"),
            (
                b"\xff\xfe1",
                ": not text in UTF-8. Save it so, with job_id[,run_id[,kind]] in each line",
            ),
        ],
    )
    def test_a_file_that_cannot_be_read(
        self, artifacts: Command, content: bytes | None, said: str, tmp_path: Path
    ) -> None:
        path = tmp_path / "list.csv"
        if content is not None:
            path.write_bytes(content)
        answer = artifacts("batch", "preview", "--from-file", str(path))
        assert (answer.status, answer.error) == (1, f"artifacts: {path}{said}")


class TestFilter:
    @pytest.mark.parametrize(
        ("options", "criteria"),
        [
            (
                "--job-id 12,14-20 --job-id 3",
                {"job_ids": [(12, 12), (14, 20), (3, 3)]},
            ),
            ("--run-id 4", {"run_ids": [(4, 4)]}),
            ("--user-id 7 --user-id 8", {"user_ids": (7, 8)}),
            ("--kind run_logs", {"kinds": (ArtifactKind.RUN_LOGS,)}),
            ("--direction download", {"directions": (Direction.DOWNLOAD,)}),
            ("--state cancelled", {"states": (TransferState.CANCELLED,)}),
            ("--reason-code source_missing", {"reasons": (ReasonCode.SOURCE_MISSING,)}),
            ("--tag a --tag b=c", {"tags": ("a", "b=c")}),
            ("--created-after 2026-01-31", {"created_after": datetime(2026, 1, 31, tzinfo=UTC)}),
            (
                "--created-before 2026-01-31T18:00+02:00",
                {"created_before": datetime(2026, 1, 31, 16, tzinfo=UTC)},
            ),
            (
                "--failed-after 2026-01-31T18:00 --failed-before 2026-02-01T00:00:00Z",
                {
                    "failed_after": datetime(2026, 1, 31, 18, tzinfo=UTC),
                    "failed_before": datetime(2026, 2, 1, tzinfo=UTC),
                },
            ),
        ],
    )
    def test_each_option_is_a_criterion(
        self, artifacts: Command, history: History, options: str, criteria: dict[str, Any]
    ) -> None:
        del history
        told = artifacts("batch", "preview", "--json", *options.split()).json
        for name in ("job_ids", "run_ids"):
            if name in criteria:
                pairs = criteria[name]
                criteria[name] = tuple(IdRange(first=a, last=b) for a, b in pairs)
        assert BatchFilter.model_validate(told["filter"]) == BatchFilter(**criteria)

    @pytest.mark.usefixtures("history")
    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ("--job-id 5-2", "5-2: use ids and ranges, such as 12,14,100-200"),
            ("--job-id 0", "0: use ids and ranges"),
            ("--job-id 1,,2", "1,,2: use ids and ranges"),
            ("--job-id 99999999999", "use ids and ranges"),
            ("--run-id x", "x: use ids and ranges"),
            ("--user-id 0", "0 is less than 1, the smallest"),
            ("--kind nope", "'nope' is not one of"),
            ("--direction confirm", "only uploads and downloads run in batches"),
            ("--direction up", "'up' is not one of"),
            ("--state broken", "'broken' is not one of"),
            ("--reason-code nope", "'nope' is not one of"),
            ("--tag ", "at least 1 character"),
            ("--created-after yesterday", "yesterday: use a moment such as 2026-01-31T18:00"),
            ("--failed-before 2026-13-01", "use a moment such as"),
            ("--rate fast", "fast: use a number of members per second, such as 50/s"),
            ("--rate -1", "use a number of members per second"),
            ("--expires-hours 0", "0 is less than 0.01, the smallest"),
        ],
    )
    def test_a_value_that_is_none_is_named(
        self, artifacts: Command, options: str, said: str
    ) -> None:
        assert said in artifacts("batch", "preview", *options.split(" ")).refusal
