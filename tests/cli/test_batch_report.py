"""`artifacts batch report`."""

from pathlib import Path

import pytest

from artifact_pipeline.domain.model.transfers import TransferState
from tests.cli.batch_commands import started
from tests.cli.commands import Command
from tests.sql.batch_steps import MISSING, History, logs_of


class TestReport:
    @pytest.fixture
    def batch_id(self, artifacts: Command, history: History) -> int:
        history.job(5, [50])
        history.transfer(logs_of(5, 50))
        batch_id = started(artifacts)
        done, failed, *_ = history.release(batch_id)
        history.end([done], TransferState.DONE, bytes_sent=100, attempts=1)
        history.end([failed], TransferState.QUARANTINED, reason_code=MISSING, attempts=8)
        return batch_id

    def test_each_member_is_a_line(self, artifacts: Command, batch_id: int) -> None:
        answer = artifacts("batch", "report", str(batch_id))
        header, done, failed, *rest = answer.out.splitlines()
        assert header.startswith("job_id,run_id,kind,direction,user_id,outcome,attempts")
        assert done == "1,,job_config,upload,7,done,1,100,,2025-10-23T21:15:00Z"
        assert failed == "2,,job_config,upload,7,failed,8,,source_missing,2025-10-23T21:15:00Z"
        assert rest[-1].startswith("5,50,run_logs,upload,7,active")

    def test_or_an_object_in_a_file(
        self, artifacts: Command, batch_id: int, tmp_path: Path
    ) -> None:
        output = tmp_path / "report.jsonl"
        answer = artifacts(
            *("batch", "report", str(batch_id), "--format", "json", "--output", str(output))
        )
        assert (answer.status, answer.out) == (0, "")
        lines = output.read_text().splitlines()
        assert len(lines) == 5
        assert '"outcome": "failed"' in lines[1]

    def test_a_file_that_cannot_be_written_is_one_line(
        self, artifacts: Command, batch_id: int
    ) -> None:
        answer = artifacts("batch", "report", str(batch_id), "--output", "/proc/nowhere/report")
        assert answer.status == 1
        assert answer.error.startswith("artifacts: /proc/nowhere/report: could not be written: ")
