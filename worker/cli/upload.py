"""What `artifacts jobs upload` does: ask for each artifact, and wait if told to."""

import time
from collections.abc import Sequence

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from domain.artifacts import Artifact
from domain.transfers import Transfer, TransferState
from tasks.app import producer_app
from worker.cli.output import err
from worker.settings import BrokerSettings, load
from worker.sql.engine import translated_errors
from worker.sql.requests import request_upload
from worker.sql.transfers import SqlTransfers

_POLL_SECONDS = 0.2


def request_all(engine: Engine, artifacts: Sequence[Artifact]) -> list[Transfer]:
    """Ask for all in one transaction; the messages leave together after it."""
    app = producer_app(load(BrokerSettings).broker_url)
    with translated_errors(), Session(engine) as session, session.begin():
        return [
            request_upload(session, artifact.kind, artifact.job_id, artifact.run_id, app=app)
            for artifact in artifacts
        ]


def wait_for(repository: SqlTransfers, transfers: Sequence[Transfer]) -> list[Transfer]:
    """The transfers once all have ended, behind a progress bar where a person looks."""
    with _progress() as progress:
        bar = progress.add_task("uploads", total=len(transfers))
        while True:
            current = repository.get_many([transfer.id for transfer in transfers])
            ended = sum(not transfer.state.is_active for transfer in current)
            progress.update(bar, completed=ended)
            if ended == len(current):
                return current
            time.sleep(_POLL_SECONDS)


def all_done(transfers: Sequence[Transfer]) -> bool:
    return all(transfer.state is TransferState.DONE for transfer in transfers)


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeElapsedColumn(), console=err, disable=not err.is_terminal)
