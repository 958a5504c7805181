"""Marking a workspace, and downloading into one."""

from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.worker.workspace.identity import opened_root
from artifact_pipeline.worker.workspace.marker import make_marker
from artifact_pipeline.worker.workspace.target import Target

OBJECT = BucketObject(
    address=ObjectAddress("bucket", "key"), size=4, version="etag", modified_at=datetime.now(UTC)
)


def marked(root: Path) -> str:
    with opened_root(root) as descriptor:
        return make_marker(descriptor)


def download(target: Target) -> None:
    with target.partial(OBJECT, 4) as partial:
        partial.write(0, b"data")
        partial.mark(0, sha256(b"data").digest())
        partial.finish(replace=False)
