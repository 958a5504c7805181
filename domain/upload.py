"""The use case of an upload: claim, move, record; or fail, and say why."""

import hashlib
import logging
from dataclasses import dataclass, replace
from functools import partial
from uuid import uuid4

from domain.artifacts import Artifact, StoredArtifact, StoredObject
from domain.attempts import Attempts
from domain.errors import ObjectReplacedError, PipelineError, TransferError
from domain.lease import LeaseKeeper
from domain.placement import Placement
from domain.ports import IArtifactRepository, IObjectStore, IWorkspace, Source
from domain.transfers import Claim, Direction, TransferSummary, is_expected_of_client

logger = logging.getLogger(__name__)

_PUT_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadArtifact:
    """Brings one artifact from the workspace to its place under the job's prefix."""

    attempts: Attempts
    placement: Placement
    artifacts: IArtifactRepository
    workspace: IWorkspace
    store: IObjectStore

    def __call__(self, artifact: Artifact, request_id: str) -> TransferSummary:
        """Do the transfer of this request. Raises: as `Attempts`."""
        return self.attempts(artifact, Direction.UPLOAD, request_id, self)

    def do(self, claim: Claim, keeper: LeaseKeeper) -> int:
        stored = self._move(claim, keeper)
        self.attempts.transfers.record(claim, stored, self.store.location(stored.object.key))
        return stored.object.size

    def stopped(self, claim: Claim, keeper: LeaseKeeper, *, cancelled: bool) -> None:
        if cancelled:
            self._clean_up(claim, keeper)
        self._mend(claim.artifact)

    def _mend(self, artifact: Artifact) -> None:
        """Ask for the artifact again, should the bucket not hold what is recorded of it.

        As when the transfer was cancelled too late to stop its write. Or when a successor found the
        object unchanged, and so did not write: S3's condition tells bytes apart, not writes, and
        lets the late write of this worker pass.
        """
        try:
            stored = self.artifacts.find(artifact)
            if stored is None or self.store.holds(stored.object):
                return
            upload = self.attempts.transfers.latest(artifact, Direction.UPLOAD)
            of_client = self.attempts.transfers.latest(artifact, Direction.CONFIRM)
            if is_expected_of_client(upload, of_client):
                return  # the verification records what is there
            # A row that another job with this id has left behind is none of this one's concern.
            if stored.object.key == self.placement.key(artifact):
                logger.error("%s: was replaced by a late write, and is asked for again", artifact)
                self.attempts.transfers.request(artifact, Direction.UPLOAD, str(uuid4()))
        except TransferError as error:
            logger.warning("%s: not known whether it was replaced: %s", artifact, error)

    def _move(self, claim: Claim, keeper: LeaseKeeper) -> StoredArtifact:
        artifact = claim.artifact
        key = self.placement.key(artifact)
        source = self.workspace.source(artifact)
        stored = self.artifacts.find(artifact)
        there = stored if stored and stored.object.key == key else None
        if there and not claim.is_forced and self._is_unchanged(there, source, keeper):
            self._abort(key, keeper)
            return replace(there, object=replace(there.object, bytes_sent=0))
        sent = self._put(claim, key, source, there.object.etag if there else None, keeper)
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
        replaces: str | None,
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
                return put(replaces=replaces)
            except ObjectReplacedError:
                # First the look, then the fence: whoever takes the lease over after it and writes
                # changes the ETag, so that a worker back from the dead replaces nothing.
                replaces = self.store.etag(key)
                self.attempts.transfers.renew(claim)
        return put(replaces=replaces)

    def _is_unchanged(self, stored: StoredArtifact, source: Source, keeper: LeaseKeeper) -> bool:
        if source.exact_size not in (None, stored.object.size):
            return False
        digest = hashlib.sha256()
        for chunk in source.chunks():
            keeper.checkpoint()
            digest.update(chunk)
        return digest.hexdigest() == stored.object.sha256 and self.store.holds(stored.object)

    def _clean_up(self, claim: Claim, keeper: LeaseKeeper) -> None:
        if keeper.upload_id is None:
            return
        try:
            self._abort(self.placement.key(claim.artifact), keeper)
        except PipelineError as error:
            # The next reconcile aborts it.
            logger.warning("%s: its parts are still there: %s", claim.artifact, error)

    def _abort(self, key: str, keeper: LeaseKeeper) -> None:
        """Nobody goes on with the multipart upload of an attempt before, if there is one."""
        if keeper.upload_id is not None:
            self.store.abort(key, keeper.upload_id)
