"""Uploads that a worker has handled without their messages."""

import json
from datetime import timedelta

from artifact_pipeline.domain.fakes import InMemoryArtifacts, InMemoryTransfers
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, TransferState, TransferSummary
from artifact_pipeline.domain.ports.transfer_pages import ClaimedUpload
from artifact_pipeline.domain.transfers.page_watch import UploadEnd
from tests.integration.envelopes import envelope

CONFIG = Artifact(ArtifactKind.JOB_CONFIG, 12)
TASK = "artifacts.upload_job_config"
BODY = b'[[], {"job_id": 12}, {}]'
DONE = TransferSummary(state=TransferState.DONE, size=13, seconds=0.25)


def claimed(request_id: str) -> ClaimedUpload:
    transfers = InMemoryTransfers(InMemoryArtifacts())
    lease = timedelta(minutes=1)
    claim = transfers.claim(CONFIG, Direction.UPLOAD, request_id, owner="worker-1", lease=lease)
    assert claim is not None
    return ClaimedUpload(claim=claim, request_id=request_id, job=None, run=None, stored=None)


def ended(request_id: str, result: TransferSummary | Exception = DONE) -> UploadEnd:
    return UploadEnd(request_id=request_id, artifact=CONFIG, seconds=0.25, result=result)


def message(request_id: str, **headers: object) -> bytes:
    made = envelope(BODY, request_id)
    made["headers"].update(headers)
    return json.dumps(made).encode()
