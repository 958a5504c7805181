"""The manifest of a job: a file in its directory that says what the directory has."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.artifacts import (
    Artifact,
    ArtifactKind,
    Scheme,
    StoredArtifact,
    StoredObject,
)
from artifact_pipeline.domain.model.checksums import SHA256, Checksum
from artifact_pipeline.domain.model.jobs import as_utc
from artifact_pipeline.domain.model.keys import MANIFEST, JobS3Prefix, file_name

SCHEMA_VERSION = 1
"""It grows when a reader of the former one would misread a manifest, not when a field is added."""
CONTENT_TYPE = "application/json"
_SHA256 = re.compile(r"[0-9a-f]{64}")


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
        "checksum": _checksum_text(there.checksum),
        "content_type": artifact.kind.spec.content_type,
        "version": there.version,
        "version_id": there.version_id,
        "requested_at": _text(entry.requested_at),
        "stored_at": _text(entry.stored.stored_at),
        "links_left_out": entry.stored.links_left_out,
    }


def _checksum_text(checksum: Checksum | None) -> str | None:
    return str(checksum) if checksum is not None and checksum.algorithm == SHA256 else None


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else as_utc(moment).isoformat().replace("+00:00", "Z")


def read_manifest(content: bytes, key: str) -> list[StoredArtifact]:
    """Return the artifacts that a manifest lists, as recorded at the time of its write.

    Artifacts of a kind that only a later version knows are left out. The tier of an object is not
    in a manifest.

    Args:
        content: of the file.
        key: of the object that has it.

    Raises:
        InvalidRequestError: it is no manifest of this directory, or of a later schema.
    """
    try:
        fields = json.loads(content)
        version = int(fields["schema_version"])
        if version <= SCHEMA_VERSION:
            return _stored_artifacts(fields, key.removesuffix(MANIFEST))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        said = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise InvalidRequestError(f"{key}: is not a valid manifest: {said}") from error
    raise InvalidRequestError(
        f"{key}: its schema_version is {version}, and this version of the pipeline reads those up "
        f"to {SCHEMA_VERSION}: use a later one"
    )


def _stored_artifacts(fields: dict[str, Any], directory: str) -> list[StoredArtifact]:
    if fields["directory"] != directory:
        raise ValueError(f"directory is {fields['directory']!r}, and it lies in {directory}")
    kinds = set(ArtifactKind)
    known = [each for each in fields["artifacts"] if each["kind"] in kinds]
    return [_stored_artifact(fields["job_id"], each, directory) for each in known]


def _stored_artifact(job_id: int, fields: dict[str, Any], directory: str) -> StoredArtifact:
    artifact = Artifact(ArtifactKind(fields["kind"]), job_id, fields["run_id"])
    own = directory + file_name(artifact)
    key = directory + fields["name"] if "name" in fields else fields["key"]
    if "name" in fields and key != own:
        raise ValueError(f"name is {fields['name']!r}, and {artifact} is {file_name(artifact)}")
    return StoredArtifact(
        artifact=artifact,
        object=_stored_object(fields, str(key)),
        stored_at=as_utc(datetime.fromisoformat(fields["stored_at"])),
        scheme=Scheme.PREFIX if key == own else Scheme.LEGACY,
        links_left_out=int(fields.get("links_left_out", 0)),
    )


def _stored_object(fields: dict[str, Any], key: str) -> StoredObject:
    if not _SHA256.fullmatch(fields["sha256"]):
        raise ValueError(f"sha256 is {fields['sha256']!r}, which is not one")
    checksum, version_id = fields.get("checksum"), fields["version_id"]
    return StoredObject(
        key=key,
        size=int(fields["size"]),
        sha256=fields["sha256"],
        version=str(fields["version"]),
        checksum=Checksum.parse(SHA256, checksum) if checksum else None,
        version_id=None if version_id is None else str(version_id),
    )
