"""The manifest of a job: a file in its directory that says what the directory has."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from artifact_pipeline.domain.model.artifacts import StoredArtifact
from artifact_pipeline.domain.model.jobs import as_utc
from artifact_pipeline.domain.model.keys import JobS3Prefix

SCHEMA_VERSION = 1
"""It grows when a reader of the former one would misread a manifest, not when a field is added."""
CONTENT_TYPE = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestEntry:
    """What a manifest says of an artifact.

    Attributes:
        requested_at: when the upload that stored it was requested; None if that is not known.
        is_listed: whether the last manifest has it as it is stored now.
    """

    stored: StoredArtifact
    requested_at: datetime | None = None
    is_listed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What is recorded of a job's artifacts.

    The same records give the same bytes, so the time of the write is not among them.

    Attributes:
        written_by: the name and version of the program.
    """

    prefix: JobS3Prefix
    entries: Sequence[ManifestEntry]
    written_by: str

    @property
    def metadata(self) -> dict[str, str]:
        """The metadata of its object."""
        return {"job": str(self.prefix.job_id), "kind": "manifest"}

    def content(self) -> bytes:
        """Return the file."""
        fields = {
            "schema_version": SCHEMA_VERSION,
            "written_by": self.written_by,
            "job_id": self.prefix.job_id,
            "job_created_at": _text(self.prefix.created_at),
            "directory": self.prefix.directory,
            "artifacts": [_fields(entry, self.prefix.directory) for entry in self.entries],
        }
        return (json.dumps(fields, indent=1) + "\n").encode()


def _fields(entry: ManifestEntry, directory: str) -> dict[str, Any]:
    artifact, there = entry.stored.artifact, entry.stored.object
    # An artifact that an old rule stored has no name in this directory.
    name = there.key.removeprefix(directory)
    place = {"key": there.key} if name == there.key else {"name": name}
    return {
        "kind": artifact.kind.value,
        "run_id": artifact.run_id,
        **place,
        "size": there.size,
        "sha256": there.sha256,
        "content_type": artifact.kind.spec.content_type,
        "version": there.version,
        "version_id": there.version_id,
        "requested_at": _text(entry.requested_at),
        "stored_at": _text(entry.stored.stored_at),
    }


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else as_utc(moment).isoformat().replace("+00:00", "Z")
