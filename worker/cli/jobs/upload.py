"""What `artifacts jobs upload` does: ask for each artifact, and tell how it ended."""

from collections.abc import Sequence

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.transfers import Transfer, TransferState
from artifact_pipeline.tasks.app import producer_app
from artifact_pipeline.worker.settings import BrokerSettings, load
from artifact_pipeline.worker.sql.errors import translated_errors
from artifact_pipeline.worker.sql.transfers.requests import request_upload


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
