"""The use case of a download: find the artifact, fetch it, verify it, let it appear."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from artifact_pipeline.domain.catalog.locate import LocateArtifacts
from artifact_pipeline.domain.errors import (
    ChecksumMismatchError,
    ObjectReplacedError,
    PipelineError,
    TargetExistsError,
)
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.found_artifacts import FoundArtifact, FoundBy
from artifact_pipeline.domain.model.requester import new_request_id
from artifact_pipeline.domain.model.transfers import Claim, Direction, Transfer
from artifact_pipeline.domain.ports.transfers import IRequestedTransfers
from artifact_pipeline.domain.ports.workspace import ITarget
from artifact_pipeline.domain.transfers.lease import LeaseKeeper
from artifact_pipeline.domain.transfers.outcomes import Finished
from artifact_pipeline.domain.transfers.ranged_download import Fetch

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloaded:
    """A file that is there, whole and verified.

    Attributes:
        bytes_fetched: also 0 if an attempt before had fetched all, or the object has no bytes.
        was_there: the same bytes were in the place already.
    """

    found: FoundArtifact
    size: int
    bytes_fetched: int
    was_there: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchArtifact:
    """Brings an artifact to a target from the first place that has it."""

    locate: LocateArtifacts
    fetch: Fetch

    def __call__(
        self,
        artifact: Artifact,
        target: ITarget,
        *,
        replace: bool,
        checkpoint: Callable[[], None],
        progress: Callable[[int], None] = lambda _size: None,
    ) -> Downloaded:
        """Download the artifact to the target, and return it.

        Args:
            artifact: which.
            target: where it goes.
            replace: whether another file that is there already gives way.
            checkpoint: called between chunks; what it raises ends all.
            progress: hears how many bytes came.

        Raises:
            ArtifactMissingError: it is nowhere.
            TargetExistsError: another file is there, and is not to be replaced.
            TransientError, PermanentError: as `Fetch`.
        """

        def fetch_from(found: FoundArtifact) -> Downloaded:
            if found.found_by is FoundBy.ROW and self.fetch.begins_anew(found.object, target):
                # What was fetched is not deleted for what a row alone says: some stores answer
                # a write with another version than later looks.
                found = self.locate.confirmed(found)
            try:
                if target.exists and self._exists_already(found, target, checkpoint):
                    # A kill as the file appeared may have left its other name.
                    target.discard()
                    size = found.object.size
                    return Downloaded(found=found, size=size, bytes_fetched=0, was_there=True)
                fetched = self.fetch(
                    found.object, target, replace=replace, checkpoint=checkpoint, progress=progress
                )
            except ObjectReplacedError:
                target.discard()  # the next place has other bytes
                raise
            return Downloaded(found=found, size=fetched.size, bytes_fetched=fetched.bytes_fetched)

        try:
            return self.locate.first(artifact, fetch_from)
        except TargetExistsError:
            raise TargetExistsError(
                f"{artifact}: a file with other content is at its target"
            ) from None

    def _exists_already(
        self, found: FoundArtifact, target: ITarget, checkpoint: Callable[[], None]
    ) -> bool:
        verifier, size = self.fetch.reader.verifier(found.object), 0
        if not verifier.is_sure:
            return False
        for chunk in target.chunks():
            checkpoint()
            size += len(chunk)
            verifier.update(chunk)
        try:
            verifier.check()
        except ChecksumMismatchError:
            return False
        return size == found.object.size


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadArtifacts:
    """Into the workspace, where a file that is not the artifact's is never replaced."""

    fetch: FetchArtifact
    target_of: Callable[[Artifact], ITarget]

    def handle(self, claim: Claim, keeper: LeaseKeeper) -> Finished:
        downloaded = self.fetch(
            claim.artifact,
            self.target_of(claim.artifact),
            replace=False,
            checkpoint=keeper.checkpoint,
        )
        return Finished(size=downloaded.size, bytes_fetched=downloaded.bytes_fetched)

    def stopped(self, claim: Claim, keeper: LeaseKeeper, *, cancelled: bool) -> None:  # noqa: ARG002 - Handler's
        if not cancelled:
            return
        try:
            self.target_of(claim.artifact).discard()
        except PipelineError as error:
            logger.warning("%s: what was fetched is still there: %s", claim.artifact, error)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestDownloads:
    """Asks for downloads into the workspace."""

    transfers: IRequestedTransfers
    locate: LocateArtifacts
    publish: Callable[[Sequence[Transfer]], None]

    def __call__(self, job_id: int, workspace: str | None = None) -> int:
        """Ask for every artifact of the job in the bucket, and return how many there are.

        Those that cannot be looked at are asked for too: their transfers record why.

        Args:
            job_id: of the job.
            workspace: the name of the one to download into.

        Raises:
            UnknownJobError: there is no such job.
        """
        contents = self.locate.contents(job_id)
        wanted = [
            *(each.artifact for each in contents.found),
            *(each.artifact for each in contents.unreadable),
        ]
        unknown = [artifact for artifact in wanted if contents.is_of_unknown_run(artifact)]
        for artifact in unknown:
            # Its transfer could only be quarantined, and would stay there.
            logger.warning("%s: not requested, for the job has no such run", artifact)
        requested = [
            self.transfers.request(
                artifact, Direction.DOWNLOAD, new_request_id(None), workspace=workspace
            )
            for artifact in wanted
            if artifact not in unknown
        ]
        self.publish(requested)
        return len(requested)
