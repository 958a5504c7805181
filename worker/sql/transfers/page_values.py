"""What the statement that records a page of uploads is sent."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Boolean, Integer, String, Text
from sqlalchemy.types import TypeEngine

from artifact_pipeline.domain.model.keys import directory_of
from artifact_pipeline.domain.ports.transfer_pages import StoredUpload
from artifact_pipeline.worker.sql.artifacts import artifact_values
from artifact_pipeline.worker.sql.tables import ArtifactRow

OF_ARTIFACT: dict[str, TypeEngine[Any]] = {
    # Pass arrays of text: an array of a shorter type would cut a long value off, where the table
    # refuses it.
    each.name: Text() if isinstance(each.type, String) else each.type
    for each in ArtifactRow.__table__.c
    if each.name not in {"id", "listed_at"}
}
_OF_UPLOAD: dict[str, TypeEngine[Any]] = {
    "transfer_id": BigInteger(),
    "fence": Integer(),
    "bytes_sent": BigInteger(),
    "directory": Text(),
    "platform_column": Text(),
    "location": Text(),
    "completes_run": Boolean(),
}
SENT = {**OF_ARTIFACT, **_OF_UPLOAD}
"""What the statement is sent of each upload, with the types."""


def arrays_of(uploads: Sequence[StoredUpload]) -> dict[str, list[Any]]:
    """Return the parameters: for each column of `SENT` an array with a value of each upload."""
    rows = [_values(upload) for upload in uploads]
    return {parameter_of(name): [row[name] for row in rows] for name in SENT}


def _values(upload: StoredUpload) -> dict[str, Any]:
    stored = upload.stored
    spec = stored.artifact.kind.spec
    return {
        **artifact_values(stored),
        "transfer_id": upload.claim.transfer_id,
        "fence": upload.claim.fence,
        "bytes_sent": stored.object.bytes_sent,
        "directory": directory_of(stored),
        "platform_column": spec.column,
        "location": upload.location.sanitized,
        "completes_run": spec.completes_run,
    }


def parameter_of(name: str) -> str:
    """Return the name of the array of a column."""
    # SQLAlchemy sets each column that has the name of a parameter.
    return f"sent_{name}"
