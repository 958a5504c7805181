"""What the commands are called with, and what they answer."""

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from threading import Event
from typing import Any

from artifact_pipeline.domain.errors import SourceMissingError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.transfers import Claim, Direction, TransferState
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from tests.contract.transfer_steps import LOCATION, stored_artifact

Command = Callable[..., "Answer"]
End = Callable[[SqlTransfers, Claim], None]

EVENTS_ON = {"ARTIFACTS_EVENTS": "true", "ARTIFACTS_EVENTS_TASK": "platform.on_artifact"}
"""The settings of events, for a command."""


@dataclass(frozen=True)
class Answer:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def refusal(self) -> str:
        """What wrong use is told, without the frame around it."""
        assert self.status == 2, self
        return " ".join(self.err.replace("│", " ").split())

    @property
    def error(self) -> str:
        """What stderr says, which must be one line."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        return lines[0]


def done(transfers: SqlTransfers, claim: Claim) -> None:
    transfers.record(claim, stored_artifact(claim.artifact), LOCATION)


def quarantined(transfers: SqlTransfers, claim: Claim) -> None:
    transfers.quarantine(claim, SourceMissingError("there is no [red]log of [bold]run 4"))


def finish(transfers: SqlTransfers, artifact: Artifact, request_id: str, end: End = done) -> None:
    """Bring the transfer of this request to its end, as a worker would."""
    claim = transfers.claim(
        artifact, Direction.UPLOAD, request_id, owner="worker-1", lease=timedelta(minutes=1)
    )
    assert claim is not None
    end(transfers, claim)


@contextmanager
def working(transfers: SqlTransfers, job_id: int, end: Callable[[Artifact], End]) -> Iterator[None]:
    """A worker on a thread, that brings each of the job's transfers to the end chosen for it."""
    stop = Event()

    def work() -> None:
        while not stop.wait(0.01):
            for asked in transfers.of_job(job_id):
                if asked.state is TransferState.REQUESTED:
                    finish(transfers, asked.artifact, asked.request_id, end(asked.artifact))

    with ThreadPoolExecutor(1) as pool:
        worker = pool.submit(work)
        try:
            yield
        finally:
            stop.set()
            worker.result()


def bare_environment() -> dict[str, str]:
    """The environment without any setting of the pipeline or of AWS."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("ARTIFACTS_", "AWS_"))}
