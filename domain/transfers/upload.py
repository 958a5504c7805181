"""The handler of uploads: what it returns is recorded by the runner."""

import logging
from dataclasses import dataclass, replace
from functools import partial

from artifact_pipeline.domain.catalog.placement import Placement
from artifact_pipeline.domain.errors import ObjectReplacedError, PipelineError, TransferError
from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact, StoredObject
from artifact_pipeline.domain.model.digests import sha256_of
from artifact_pipeline.domain.model.preconditions import Precondition, replacing
from artifact_pipeline.domain.model.requester import new_request_id
from artifact_pipeline.domain.model.transfers import Claim, Direction, is_expected_of_client
from artifact_pipeline.domain.ports.artifacts import IArtifactRepository
from artifact_pipeline.domain.ports.object_store import IObjectStore
from artifact_pipeline.domain.ports.packed import forms_of
from artifact_pipeline.domain.ports.transfers import IRequestedTransfers
from artifact_pipeline.domain.ports.workspace import IWorkspace, Source
from artifact_pipeline.domain.transfers.lease import LeaseKeeper
from artifact_pipeline.domain.transfers.outcomes import Stored

logger = logging.getLogger(__name__)

_PUT_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadArtifact:
    """Brings one artifact from the workspace to its place under the job's prefix."""

    transfers: IRequestedTransfers
    placement: Placement
    artifacts: IArtifactRepository
    workspace: IWorkspace
    store: IObjectStore

    def handle(self, claim: Claim, keeper: LeaseKeeper) -> Stored:
        key = self.placement.key(claim.artifact)
        return self.handle_known(claim, keeper, key, self.artifacts.find(claim.artifact))

    def handle_known(
        self, claim: Claim, keeper: LeaseKeeper, key: str, recorded: StoredArtifact | None
    ) -> Stored:
        """Upload an artifact whose rows were read already.

        Args:
            claim: of the upload.
            keeper: of its lease.
            key: where the artifact belongs.
            recorded: what SQL has of the artifact.
        """
        stored = self._move(claim, keeper, key, recorded)
        return Stored(stored=stored, location=self.store.location(stored.object.key))

    def stopped(self, claim: Claim, keeper: LeaseKeeper, *, cancelled: bool) -> None:
        if cancelled:
            self._clean_up(claim, keeper)
        self._repair_row(claim.artifact)

    def _repair_row(self, artifact: Artifact) -> None:
        """Ask for the artifact again, should the bucket not hold what is recorded of it.

        As when the transfer was cancelled too late to stop its write. Or when a successor found the
        object unchanged, and so did not write: a version may tell bytes apart, not writes, and lets
        the late write of this worker pass.
        """
        try:
            stored = self.artifacts.find(artifact)
            if stored is None or self.store.holds(stored.object):
                return
            upload = self.transfers.latest(artifact, Direction.UPLOAD)
            of_client = self.transfers.latest(artifact, Direction.CONFIRM)
            if is_expected_of_client(upload, of_client):
                return  # the verification records the object
            # A row that another job with this id has left behind does not concern this one.
            if stored.object.key == self.placement.key(artifact):
                logger.error("%s: was replaced by a late write, and is asked for again", artifact)
                self.transfers.request(artifact, Direction.UPLOAD, new_request_id(None))
        except TransferError as error:
            logger.warning("%s: not known whether it was replaced: %s", artifact, error)

    def _move(
        self, claim: Claim, keeper: LeaseKeeper, key: str, stored: StoredArtifact | None
    ) -> StoredArtifact:
        artifact = claim.artifact
        source = self.workspace.source(artifact)
        existing = stored if stored and stored.object.key == key else None
        if existing and not claim.is_forced and self._is_unchanged(existing, source, keeper):
            self._abort(key, keeper)
            return replace(existing, object=replace(existing.object, bytes_sent=0))
        precondition = replacing(existing.object.version if existing else None)
        sent = self._put(claim, key, source, precondition, keeper)
        if source.links_left_out:
            logger.warning("%s: %d links left out", artifact, source.links_left_out)
        return StoredArtifact(
            artifact=artifact,
            object=sent,
            links_left_out=source.links_left_out,
        )

    def _put(
        self,
        claim: Claim,
        key: str,
        source: Source,
        precondition: Precondition,
        keeper: LeaseKeeper,
    ) -> StoredObject:
        put = partial(
            self.store.put,
            key,
            source,
            content_type=claim.artifact.kind.content_type,
            metadata=claim.artifact.metadata,
            progress=keeper,
        )
        for _ in range(_PUT_TRIES - 1):
            try:
                return put(precondition=precondition)
            except ObjectReplacedError:
                # Look first, then renew: a worker that takes the lease over after that and writes
                # changes the version, so a worker that lost its lease replaces nothing.
                precondition = replacing(self.store.version(key))
                keeper.renew()
        return put(precondition=precondition)

    def _is_unchanged(self, stored: StoredArtifact, source: Source, keeper: LeaseKeeper) -> bool:
        if source.exact_size not in (None, stored.object.size):
            return False
        digests = (
            sha256_of(form.chunks(), checkpoint=keeper.checkpoint).hex()
            for form in forms_of(source)
        )
        return stored.object.sha256 in digests and self.store.holds(stored.object)

    def _clean_up(self, claim: Claim, keeper: LeaseKeeper) -> None:
        if keeper.upload_id is None:
            return
        try:
            self._abort(self.placement.key(claim.artifact), keeper)
        except PipelineError as error:
            # The next reconcile aborts it.
            logger.warning("%s: its parts are still there: %s", claim.artifact, error)

    def _abort(self, key: str, keeper: LeaseKeeper) -> None:
        """Drop the unfinished upload of an attempt before, if there is one."""
        if keeper.upload_id is not None:
            self.store.abort(key, keeper.upload_id)
