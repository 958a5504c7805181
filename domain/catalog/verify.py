"""The use case that compares a job's artifacts in the store with what is recorded of them."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from artifact_pipeline.domain.catalog.job_listing import JobListing
from artifact_pipeline.domain.catalog.job_objects import file_name_of
from artifact_pipeline.domain.catalog.locate import LocateArtifacts
from artifact_pipeline.domain.catalog.verdicts import (
    Verdict,
    VerifiedArtifact,
    foreign,
    pending,
    unreadable,
    without_row,
)
from artifact_pipeline.domain.each import for_each, until_unavailable
from artifact_pipeline.domain.errors import ObjectReplacedError, PipelineError
from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact, listing_order
from artifact_pipeline.domain.model.digests import sha256_of
from artifact_pipeline.domain.model.keys import JobS3Prefix, artifact_named
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.domain.model.transfers import RECORDING_DIRECTIONS
from artifact_pipeline.domain.ports.transfers import IRequestedTransfers

_LOOKS = 3
"""How often a finding is looked at again while its row keeps changing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyJob:
    """Compares each artifact of a job with its row: presence, size, checksum and prefix.

    Attributes:
        reads: reads an object's bytes from a position to before another.
    """

    locate: LocateArtifacts
    transfers: IRequestedTransfers
    reads: Callable[[BucketObject, int, int], Iterator[bytes]]

    def __call__(self, job_id: int, *, deep: bool = False) -> list[VerifiedArtifact]:
        """Return a verdict for each artifact and object under the job's id, foreign ones last.

        It costs one LIST for each thousand objects, and a HEAD for each recorded artifact, since a
        listing has no checksums. What is not ok is looked at again before it is returned, so that
        an upload that ends during the look is no false alarm.

        Args:
            job_id: of the job.
            deep: read all recorded bytes and compare their SHA-256 as well.

        Raises:
            UnknownJobError: there is no such job.
            StoreUnavailableError, SqlUnavailableError: several looks in a row failed.
        """
        job = self.locate.placement.jobs.get(job_id)
        runs = self.locate.placement.runs.of_job(job_id)
        rows = self.locate.artifacts.of_job(job_id)
        look = _Look(
            verify=self,
            listing=JobListing(self.locate.objects(job, runs, rows)),
            deep=deep,
        )
        recorded = look.recorded(rows)
        fine = {each.artifact for each in recorded if each.verdict is Verdict.OK}
        others = look.others({each.address for each in recorded}, fine, self.locate.kept(job, runs))
        # Compare by address: an object may have got its row between the two looks.
        return sorted({each.address: each for each in (*recorded, *others)}.values(), key=_order)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """One look at one job."""

    verify: VerifyJob
    listing: JobListing
    deep: bool

    def recorded(self, rows: Iterable[StoredArtifact]) -> list[VerifiedArtifact]:
        """Return the verdict of each of the job's rows."""
        own = [row for row in rows if self._owns_row(row)]
        return [
            unreadable(self._locate.recorded(row).address, row.artifact, outcome)
            if isinstance(outcome, PipelineError)
            else outcome
            for row, outcome in until_unavailable(for_each(self._settled, own))
        ]

    def others(
        self,
        seen: Collection[ObjectAddress],
        fine: Collection[Artifact | None],
        kept: Mapping[Artifact, ObjectAddress],
    ) -> Iterator[VerifiedArtifact]:
        """Yield the verdicts of objects that no row of the job names.

        Args:
            seen: where rows say that artifacts are.
            fine: artifacts that are well; a copy of one elsewhere is no fault.
            kept: where the platform's rows say that artifacts are.
        """
        named = {existing.address: self._named(existing.address) for existing in self.listing.own}
        listed = {existing.address for existing in self.listing.objects.listed}
        elsewhere = {at: artifact for artifact, at in kept.items() if at not in listed}
        places = [
            (at, artifact)
            for at, artifact in {**named, **elsewhere}.items()
            if at not in seen and not (artifact in fine and self._is_elsewhere(at, artifact))
        ]
        for (at, artifact), outcome in until_unavailable(for_each(self._unrecorded, places)):
            if isinstance(outcome, PipelineError):
                yield unreadable(at, artifact, outcome)
            elif outcome is not None:
                yield outcome
        for existing, error in self.listing.refused:
            yield unreadable(existing.address, self._named(existing.address), error)
        for existing in self.listing.others:
            yield foreign(existing, self._named(existing.address))

    def _settled(self, row: StoredArtifact) -> VerifiedArtifact:
        """Return the verdict of a row. Look again while an upload may be replacing it."""
        judged = self._judged(row)
        for _ in range(_LOOKS):
            if judged.verdict is Verdict.OK:
                return judged
            row = self._row(row.artifact) or row
            judged = self._judged(row)
            # Read these after the object: an upload writes the object first and then the row.
            is_active = self._is_active(row.artifact)
            if self._row(row.artifact) in (None, row):
                return pending(judged) if is_active else judged
        return pending(judged)

    def _judged(self, row: StoredArtifact) -> VerifiedArtifact:
        recorded = self._locate.recorded(row)
        existing = self._locate.reader.find(recorded.address)
        if existing is None:
            return VerifiedArtifact(
                verdict=Verdict.MISSING,
                address=recorded.address,
                artifact=row.artifact,
                object=recorded,
                error=f"recorded at {row.recorded_at:%Y-%m-%dT%H:%M:%SZ}, and not in the store",
            )
        differs = self._difference(recorded, existing)
        is_elsewhere = self._is_elsewhere(recorded.address, row.artifact)
        well = Verdict.MISPLACED if is_elsewhere else Verdict.OK
        return VerifiedArtifact(
            verdict=Verdict.CHANGED if differs else well,
            address=recorded.address,
            artifact=row.artifact,
            object=existing,
            error=differs or (self._belongs(row.artifact) if is_elsewhere else None),
        )

    def _difference(self, recorded: BucketObject, existing: BucketObject) -> str | None:
        """Return what differs between the row and the object, the cheapest look first."""
        if existing.size != recorded.size:
            return f"{existing.size} bytes; recorded are {recorded.size}"
        if existing.sha256 not in (None, recorded.sha256):
            return f"its SHA-256 is {existing.sha256}; recorded is {recorded.sha256}"
        told = [(known, existing.checksum(known.algorithm)) for known in recorded.checksums or ()]
        for known, said in told:
            if said is not None and said.parts == known.parts and said != known:
                return f"its {known.algorithm} is {said}; recorded is {known}"
        # A copy of the bucket has other versions of the same bytes.
        is_same = existing.sha256 is not None or any(known == said for known, said in told)
        if existing.version != recorded.version and not is_same:
            return "another object of the same size was written since it was recorded"
        return self._difference_of_bytes(recorded, existing) if self.deep else None

    def _difference_of_bytes(self, recorded: BucketObject, existing: BucketObject) -> str | None:
        try:
            sha256 = sha256_of(self.verify.reads(existing, 0, existing.size)).hex()
        except ObjectReplacedError:
            return "it was replaced while it was read"
        if sha256 == recorded.sha256:
            return None
        return f"the SHA-256 of its bytes is {sha256}; recorded is {recorded.sha256}"

    def _unrecorded(self, place: tuple[ObjectAddress, Artifact | None]) -> VerifiedArtifact | None:
        """Return the verdict of an object without a row; None if it is gone by now."""
        address, artifact = place
        if not self.listing.objects.owns(address):
            return None  # a location that the platform keeps, of another job with this id
        is_active = artifact is not None and self._is_active(artifact)
        row = None if artifact is None else self._row(artifact)
        if row is not None and self._locate.recorded(row).address == address:
            return self._settled(row)
        existing = self._locate.reader.find(address)
        if existing is None:
            return None
        if artifact is None:
            return foreign(existing, None)
        if self._is_elsewhere(address, artifact):
            return without_row(existing, artifact, Verdict.MISPLACED, self._belongs(artifact))
        found = without_row(existing, artifact, Verdict.UNRECORDED, "no row says that it is stored")
        return pending(found) if is_active else found

    def _row(self, artifact: Artifact) -> StoredArtifact | None:
        """Return the artifact's current row, if it is this job's."""
        row = self._locate.artifacts.find(artifact)
        return row if row is not None and self._owns_row(row) else None

    def _owns_row(self, row: StoredArtifact) -> bool:
        return self.listing.objects.ownership.owns_row(row)

    def _is_active(self, artifact: Artifact) -> bool:
        latest = (self.verify.transfers.latest(artifact, each) for each in RECORDING_DIRECTIONS)
        return any(transfer is not None and transfer.state.is_active for transfer in latest)

    def _is_elsewhere(self, address: ObjectAddress, artifact: Artifact | None) -> bool:
        if artifact is None:
            return False
        return address != ObjectAddress(self._locate.reader.bucket, self._prefix.key(artifact))

    def _belongs(self, artifact: Artifact) -> str:
        return f"belongs at {self._prefix.key(artifact)}"

    def _named(self, address: ObjectAddress) -> Artifact | None:
        return artifact_named(self._prefix.job_id, file_name_of(address))

    @property
    def _prefix(self) -> JobS3Prefix:
        return self.listing.objects.prefix

    @property
    def _locate(self) -> LocateArtifacts:
        return self.verify.locate


def _order(verified: VerifiedArtifact) -> tuple[bool, tuple[int, str], str]:
    artifact = verified.artifact
    of_job = (0, "") if artifact is None else listing_order(artifact)
    return verified.verdict is Verdict.FOREIGN, of_job, verified.address.key
