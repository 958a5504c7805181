"""The use case that compares a job's manifest with what is recorded."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from artifact_pipeline.domain.errors import ArtifactMissingError
from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact, listing_order
from artifact_pipeline.domain.model.keys import JobS3Prefix
from artifact_pipeline.domain.model.manifest import read_manifest
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.domain.model.ownership import Ownership
from artifact_pipeline.domain.ports.artifacts import IArtifactRepository
from artifact_pipeline.domain.ports.jobs import IJobRepository
from artifact_pipeline.domain.ports.object_store import IObjectReader

_COMPARED = ("key", "size", "sha256", "version")


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedEntry:
    """An artifact that the manifest or SQL has.

    Attributes:
        listed: as the manifest has it; None if it does not.
        difference: from what is recorded, if any.
    """

    artifact: Artifact
    listed: StoredArtifact | None
    difference: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckManifest:
    """Reads a job's manifest from the store, and compares it with SQL."""

    jobs: IJobRepository
    artifacts: IArtifactRepository
    reader: IObjectReader

    def prefix(self, job_id: int) -> JobS3Prefix:
        """Return the job's directory. Raises: UnknownJobError."""
        return JobS3Prefix.from_job(self.jobs.get(job_id))

    def listed(self, prefix: JobS3Prefix) -> Sequence[StoredArtifact]:
        """Return what the manifest names, for a HEAD and a GET.

        Raises:
            ArtifactMissingError: the store has no manifest.
            InvalidRequestError: it cannot be read.
            ObjectReplacedError: it was just written again.
        """
        there = self._find(prefix)
        content = b"".join(self.reader.read(there))
        return read_manifest(content, prefix.manifest_key)

    def __call__(self, prefix: JobS3Prefix) -> Sequence[ComparedEntry]:
        """Return what the manifest or SQL has, in the order of listings. Raises: as `listed`."""
        listed = {each.artifact: each for each in self.listed(prefix)}
        # After the manifest: what was recorded before it was written must be in it.
        rows = self.artifacts.of_job(prefix.job_id)
        ownership = Ownership(prefix=prefix, rows=lambda: rows)
        recorded = {row.artifact: row for row in rows if ownership.owns_row(row)}
        return list(_compared(listed, recorded))

    def _find(self, prefix: JobS3Prefix) -> BucketObject:
        address = ObjectAddress(self.reader.bucket, prefix.manifest_key)
        there = self.reader.find(address)
        if there is None:
            raise ArtifactMissingError(
                f"job {prefix.job_id}: has no manifest at {address.url}. `artifacts jobs manifest "
                f"{prefix.job_id} --write` writes it"
            )
        return there


def _compared(
    listed: Mapping[Artifact, StoredArtifact], recorded: Mapping[Artifact, StoredArtifact]
) -> Iterator[ComparedEntry]:
    for artifact in sorted({*listed, *recorded}, key=listing_order):
        one, row = listed.get(artifact), recorded.get(artifact)
        yield ComparedEntry(artifact=artifact, listed=one, difference=_difference(one, row))


def _difference(listed: StoredArtifact | None, row: StoredArtifact | None) -> str | None:
    if listed is None:
        return "it is recorded, and not in the manifest"
    if row is None:
        return "it is in the manifest, and not recorded"
    pairs = ((name, getattr(listed.object, name), getattr(row.object, name)) for name in _COMPARED)
    differing = [f"{name} is {one}; recorded is {kept}" for name, one, kept in pairs if one != kept]
    return ", ".join(differing) or None
