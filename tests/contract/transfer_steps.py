"""What the transfer contract is written with."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import TypeVar

import pytest

from artifact_pipeline.domain.errors import SourceMissingError, StoreUnavailableError
from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact, StoredObject
from artifact_pipeline.domain.model.checksums import SHA256, Checksum
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.transfers import (
    NO_QUEUES,
    Claim,
    Direction,
    QueueCapacity,
    RepublishPolicy,
    Transfer,
)
from artifact_pipeline.domain.ports.transfers import ITransferRepository

UPLOAD = Direction.UPLOAD
CONFIG = Artifact(ArtifactKind.JOB_CONFIG, 12)
RESULTS = Artifact(ArtifactKind.RUN_RESULTS, 12, 4)
LOGS = [Artifact(ArtifactKind.RUN_LOGS, 12, run_id) for run_id in range(1, 6)]
AT_ONCE = timedelta(0)
HOUR = timedelta(hours=1)
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
RUN_OUT = timedelta(seconds=-1)
LOCATION = UploadLocation("https://bucket.s3.invalid/key?X-Amz-Signature=abc")

T = TypeVar("T")
Write = Callable[[ITransferRepository, Claim], None]


def stored_artifact(artifact: Artifact, **changes: object) -> StoredArtifact:
    stored = StoredArtifact(
        artifact=artifact,
        object=StoredObject(
            key=f"jobs/12/2025/10/23/211500/{artifact.kind}",
            size=5_000_000_000,
            sha256="ab" * 32,
            checksum=Checksum(SHA256, "c2hhMjU2", 75),
            version='"0123-75"',
            version_id="v1",
            tier_name="GLACIER_IR",
        ),
        stored_at=datetime(2025, 10, 23, 21, 15, 1, tzinfo=UTC),
        links_left_out=2,
    )
    return replace(stored, **changes)  # type: ignore[arg-type] # by the callers' keywords


WRITES: dict[str, Write] = {
    "renew": lambda transfers, claim: transfers.renew(claim),
    "keep_upload_id": lambda transfers, claim: transfers.keep_upload_id(claim, "late"),
    "record": lambda transfers, claim: transfers.record(
        claim, stored_artifact(claim.artifact), LOCATION
    ),
    "adopt": lambda transfers, claim: transfers.adopt(
        claim, stored_artifact(claim.artifact), LOCATION, None
    ),
    "finish": lambda transfers, claim: transfers.finish(claim, 0),
    "postpone": lambda transfers, claim: transfers.postpone(
        claim, StoreUnavailableError(), AT_ONCE
    ),
    "wait": lambda transfers, claim: transfers.wait(claim, StoreUnavailableError(), AT_ONCE),
    "quarantine": lambda transfers, claim: transfers.quarantine(claim, SourceMissingError()),
}
ENDS = {name: WRITES[name] for name in ("record", "adopt", "finish", "quarantine")}
every_write = pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
every_end = pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())


def claim_of(
    transfers: ITransferRepository,
    artifact: Artifact = RESULTS,
    request_id: str = "a",
    *,
    owner: str = "worker-1",
    lease: timedelta = HOUR,
) -> Claim | None:
    return transfers.claim(artifact, UPLOAD, request_id, owner=owner, lease=lease)


def claimed(
    transfers: ITransferRepository,
    artifact: Artifact = RESULTS,
    request_id: str = "a",
    *,
    owner: str = "worker-1",
    lease: timedelta = HOUR,
) -> Claim:
    claim = claim_of(transfers, artifact, request_id, owner=owner, lease=lease)
    assert claim is not None
    return claim


def latest(transfers: ITransferRepository, artifact: Artifact = RESULTS) -> Transfer:
    transfer = transfers.latest(artifact, UPLOAD)
    assert transfer is not None
    return transfer


ROOM = QueueCapacity(kinds=frozenset(ArtifactKind), batches=True)
"""In every queue."""


def published(  # noqa: PLR0913 - what a sweep is told
    transfers: ITransferRepository,
    *,
    limit: int = 100,
    unclaimed_after: timedelta = AT_ONCE,
    republish_after: timedelta = HOUR,
    broker_epoch: datetime = LONG_AGO,
    empty: QueueCapacity = NO_QUEUES,
    workspace: str | None = None,
) -> list[Transfer]:
    """What a sweep publishes."""
    pages: list[Sequence[Transfer]] = []
    count = transfers.publish_due(
        pages.append,
        limit=limit,
        room=ROOM,
        loss=loss(unclaimed_after, republish_after, broker_epoch, empty),
        workspace=workspace,
    )
    sent = [transfer for page in pages for transfer in page]
    assert count == len(sent)
    return sent


def loss(
    unclaimed_after: timedelta = AT_ONCE,
    republish_after: timedelta = HOUR,
    broker_epoch: datetime = LONG_AGO,
    empty: QueueCapacity = NO_QUEUES,
) -> RepublishPolicy:
    return RepublishPolicy(
        broker_epoch=broker_epoch,
        unclaimed_after=unclaimed_after,
        republish_after=republish_after,
        empty=empty,
    )


def at_once(call: Callable[[int], T], times: int = 10) -> list[T]:
    """The results of so many threads that call at the same moment."""
    barrier = Barrier(times)

    def call_together(number: int) -> T:
        barrier.wait(timeout=30)
        return call(number)

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(call_together, range(times)))


def is_utc(moment: datetime | None) -> bool:
    return moment is not None and moment.utcoffset() == timedelta(0)
