"""Peak memory of a worker's child that uploads results."""

import random
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import psutil
from sqlalchemy.orm import Session

from domain.artifacts import Artifact, ArtifactKind
from tasks.app import producer_app
from worker.embedded.stack import EmbeddedStack
from worker.sql.requests import request_upload
from worker.sql.tables import JobRow, RunRow
from worker.sql.transfers import SqlTransfers
from worker.workspace import Workspace

_FILE_BYTES = 8 * 2**20
_MOMENT = datetime(2025, 10, 23, 21, 15, tzinfo=UTC)
_ARTIFACT = Artifact(ArtifactKind.RUN_RESULTS, 12, 4)


def peak_of_results(size: int) -> float:
    """MiB of resident memory, at the highest, while so many bytes of results are uploaded."""
    with (
        tempfile.TemporaryDirectory(prefix="artifacts-") as directory,
        EmbeddedStack(Path(directory)) as stack,
    ):
        _prepare(stack, size)
        worker = stack.start_worker("--concurrency", "1")
        producer_app(stack.broker.url)
        with Session(stack.engine) as session, session.begin():
            transfer = request_upload(session, _ARTIFACT.kind, 12, 4)
        transfers = SqlTransfers(stack.engine)
        while transfers.get_many([transfer.id])[0].state.is_active:
            time.sleep(0.1)
        ended = transfers.get_many([transfer.id])[0]
        assert ended.state == "done", ended
        [child] = psutil.Process(worker.pid).children()
        return round(_peak_kib(child.pid) / 1024, 1)


def _prepare(stack: EmbeddedStack, size: int) -> None:
    with Session(stack.engine) as session, session.begin():
        session.add(JobRow(id=12, user_id=1, status="CREATED", created_at=_MOMENT))
        session.flush()
        session.add(RunRow(id=4, job_id=12, user_id=1, status="RUNNING", created_at=_MOMENT))
    dice = random.Random(12)
    lines = "".join(f"{dice.random():.6f},{dice.randrange(1000)}\n" for _ in range(100_000))
    block = (lines * 8)[: 2**20].encode()
    results = Workspace(stack.workspace).path(_ARTIFACT)
    for number in range(max(1, size // _FILE_BYTES)):
        file = results / f"RUN{number % 4 + 1}" / f"{number}.csv"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(block * (_FILE_BYTES // len(block)))


def _peak_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1])
