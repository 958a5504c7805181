"""What `artifacts jobs upload` does: ask for each artifact, and tell how it ended."""

from collections.abc import Sequence

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from domain.artifacts import Artifact
from domain.transfers import Transfer, TransferState
from tasks.app import producer_app
from worker.settings import BrokerSettings, load
from worker.sql.engine import translated_errors
from worker.sql.requests import request_upload


def request_all(engine: Engine, artifacts: Sequence[Artifact], requested_by: str) -> list[Transfer]:
    """Ask for all in one transaction; the messages leave together after it."""
    app = producer_app(load(BrokerSettings).broker)
    with translated_errors(), Session(engine) as session, session.begin():
        return [
            request_upload(
                session,
                artifact.kind,
                artifact.job_id,
                artifact.run_id,
                app=app,
                requested_by=requested_by,
            )
            for artifact in artifacts
        ]


def all_done(transfers: Sequence[Transfer]) -> bool:
    return all(transfer.state is TransferState.DONE for transfer in transfers)
