"""What a deletion of a job's artifacts finds in the store."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from artifact_pipeline.domain.catalog.job_objects import JobObjects, file_name_of
from artifact_pipeline.domain.catalog.locate import LocateArtifacts
from artifact_pipeline.domain.each import outcome_of
from artifact_pipeline.domain.errors import PipelineError
from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact, listing_order
from artifact_pipeline.domain.model.keys import JobS3Prefix, artifact_named, job_directory
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.object_versions import ObjectVersion
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.domain.model.tombstones import DeletionScope
from artifact_pipeline.domain.ports.object_versions import IObjectVersions

UNCERTAIN = "uncertain"
"""Kept: it may be a later job's of another database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionRequest:
    """What is to be deleted of a job.

    Attributes:
        run_id: only artifacts of this run.
        kinds: only these; empty for all that is under the job's prefix.
        all_versions: also versions that the store has kept, and its delete markers.
        is_only_database: no other database has jobs in this bucket, so that objects in a path with
            a later time that no row names are the job's.
        expected: only these artifacts, if each still has this row and no active transfer; empty
            for all that the other fields mean.
    """

    job_id: int
    run_id: int | None = None
    kinds: Sequence[ArtifactKind] = ()
    all_versions: bool = False
    is_only_database: bool = False
    expected: Mapping[Artifact, StoredArtifact] = field(default_factory=dict)

    def scopes(self, directory: str) -> list[DeletionScope]:
        """Return what gets a tombstone. Args: the job's directory."""
        if self.expected:
            return [
                DeletionScope(
                    job_id=self.job_id, directory=directory, run_id=each.run_id, kind=each.kind
                )
                for each in self.expected
            ]
        kinds = self.kinds or (None,)
        return [
            DeletionScope(job_id=self.job_id, directory=directory, run_id=self.run_id, kind=kind)
            for kind in kinds
        ]

    def covers(self, artifact: Artifact | None) -> bool:
        """Return whether an object is meant. Args: the artifact; None if it is none."""
        if self.expected:
            return artifact in self.expected
        if artifact is None:
            return self.run_id is None and not self.kinds
        is_of_run = self.run_id in (None, artifact.run_id)
        return is_of_run and (not self.kinds or artifact.kind in self.kinds)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletedObject:
    """An object, or a version of one, that is to be deleted.

    Attributes:
        artifact: None for an object whose name no artifact has, such as a manifest.
        kept_for: why it is not deleted, or was not.
    """

    version: ObjectVersion
    artifact: Artifact | None = None
    kept_for: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionPlan:
    """What the store and SQL have of it.

    Attributes:
        objects: in the order of a listing; also those that are kept.
        rows: the job's rows of artifacts that are meant.
        kept: where the platform's rows say that such artifacts are.
    """

    prefix: JobS3Prefix
    objects: Sequence[DeletedObject]
    rows: Sequence[StoredArtifact]
    kept: Mapping[Artifact, ObjectAddress]

    @property
    def doomed(self) -> list[DeletedObject]:
        """Return those that are to be deleted."""
        return [each for each in self.objects if each.kept_for is None]


def plan_deletion(
    request: DeletionRequest, locate: LocateArtifacts, versions: IObjectVersions
) -> DeletionPlan:
    """Look for what is to be deleted: one LIST for each thousand objects or versions.

    Objects outside of the job's directory that a row names cost a HEAD each; and so may one in a
    directory with a later time: see `JobObjects`. Objects of other jobs with this id are left out.

    Raises:
        UnknownJobError, UnknownRunError, RunOfAnotherJobError: there is no such job or run.
    """
    locate.placement.check(request.job_id, request.run_id)
    job = locate.placement.jobs.get(request.job_id)
    runs = locate.placement.runs.of_job(request.job_id)
    rows = locate.artifacts.of_job(request.job_id)
    objects = locate.objects(job, runs, rows)
    own = [row for row in rows if objects.ownership.owns_row(row) and request.covers(row.artifact)]
    kept = {at: url for at, url in locate.kept(job, runs).items() if request.covers(at)}
    look = _Look(request=request, objects=objects, versions=versions)
    below = {each.version: each for each in look.below()}
    named = {locate.recorded(row).address: row.artifact for row in own}
    named |= {address: artifact for artifact, address in kept.items()}
    outside = {each.version: each for each in look.elsewhere(named)}
    return DeletionPlan(
        prefix=objects.prefix,
        objects=sorted([*below.values(), *outside.values()], key=_order),
        rows=own,
        kept=kept,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    request: DeletionRequest
    objects: JobObjects
    versions: IObjectVersions

    def below(self) -> Iterator[DeletedObject]:
        """Yield what is under the job's id and meant."""
        for version in self._listed():
            artifact = self._artifact(version.address)
            if not self.request.covers(artifact):
                continue
            found = DeletedObject(version=version, artifact=artifact)
            owned = outcome_of(partial(self.objects.owns, version.address))
            if isinstance(owned, PipelineError):
                yield replace(found, kept_for=str(owned))
            elif owned:
                yield self._judged(found)

    def elsewhere(self, named: Mapping[ObjectAddress, Artifact]) -> Iterator[DeletedObject]:
        """Yield what lies elsewhere. Args: where rows say that artifacts are."""
        root = job_directory(self.request.job_id)
        bucket = self.objects.reader.bucket
        for address, artifact in named.items():
            if address.bucket == bucket and address.key.startswith(root):
                continue
            found = DeletedObject(version=ObjectVersion(address=address), artifact=artifact)
            look = outcome_of(partial(self._versions_at, address))
            if isinstance(look, PipelineError):
                yield replace(found, kept_for=str(look))
            else:
                yield from (replace(found, version=each) for each in look)

    def _listed(self) -> Iterator[ObjectVersion]:
        if self.request.all_versions:
            return self.versions.all(job_directory(self.request.job_id))
        listed = self.objects.everything
        return (ObjectVersion(address=each.address, size=each.size) for each in listed)

    def _versions_at(self, address: ObjectAddress) -> Collection[ObjectVersion]:
        if not self.objects.owns(address):
            return []
        if self.request.all_versions and address.bucket == self.objects.reader.bucket:
            found = self.versions.all(address.key)
            return [each for each in found if each.address == address]
        there = self.objects.reader.find(address)
        return [] if there is None else [ObjectVersion(address=address, size=there.size)]

    def _judged(self, found: DeletedObject) -> DeletedObject:
        is_unsure = self.objects.is_uncertain(found.version.address)
        is_kept = is_unsure and not self.request.is_only_database
        return replace(found, kept_for=UNCERTAIN) if is_kept else found

    def _artifact(self, address: ObjectAddress) -> Artifact | None:
        return artifact_named(self.request.job_id, file_name_of(address))


def _order(found: DeletedObject) -> tuple[bool, tuple[int, str], str, str]:
    artifact = found.artifact
    of_job = (0, "") if artifact is None else listing_order(artifact)
    address = found.version.address
    return artifact is None, of_job, address.key, found.version.version_id or ""
