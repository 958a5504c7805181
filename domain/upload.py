"""The use case of an upload: claim, move, record; or fail, and say why."""

import hashlib
import logging
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NoReturn
from uuid import uuid4

from domain.artifacts import Artifact, StoredArtifact, StoredObject
from domain.breaker import Breaker
from domain.errors import (
    AttemptsExhaustedError,
    ChecksumMismatchError,
    ChecksumMismatchTwiceError,
    LeaseLostError,
    ObjectReplacedError,
    PermanentError,
    PipelineError,
    PoisonedError,
    ReasonCode,
    RunOfAnotherJobError,
    S3BreakerOpenError,
    S3UnavailableError,
    TransferCancelledError,
    TransferError,
    UnexpectedError,
)
from domain.lease import LeaseKeeper
from domain.ports import (
    IArtifactRepository,
    IJobRepository,
    IObjectStore,
    IRunRepository,
    ITransferRepository,
    IWorkspace,
    Source,
)
from domain.prefix import JobS3Prefix
from domain.redaction import redact
from domain.retry import Backoff
from domain.transfers import Claim, Direction, TransferState, TransferSummary

logger = logging.getLogger(__name__)

_PUT_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadArtifact:
    """Brings one artifact from the workspace to its place under the job's prefix."""

    jobs: IJobRepository
    runs: IRunRepository
    artifacts: IArtifactRepository
    transfers: ITransferRepository
    workspace: IWorkspace
    store: IObjectStore
    breaker: Breaker
    owner: str
    lease: timedelta
    max_attempts: int
    backoff: Backoff = field(default_factory=Backoff)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def __call__(self, artifact: Artifact, request_id: str) -> TransferSummary:
        """Do the transfer of this request, if it is there to be done.

        Raises:
            TransientError: this attempt failed; the transfer waits for its next one.
            PermanentError: the transfer is quarantined.
        """
        started = time.monotonic()
        claim = self.transfers.claim(
            artifact, Direction.UPLOAD, request_id, owner=self.owner, lease=self.lease
        )
        if claim is None:
            return self._nothing_to_do(artifact)
        try:
            # From here on, for to look through a large source may take longer than a lease.
            with LeaseKeeper(self.transfers, claim, started) as keeper:
                stored = self._attempt(claim, keeper)
        except TransferCancelledError:
            logger.info("%s: cancelled", artifact)
            self._clean_up(claim, keeper)
            self._mend(artifact)
            return TransferSummary(state=TransferState.CANCELLED)
        except LeaseLostError:
            logger.warning("%s: attempt %d lost its lease", artifact, claim.attempt)
            self._mend(artifact)
            return self._nothing_to_do(artifact)
        seconds = round(time.monotonic() - started, 3)
        logger.info("%s: stored, %d bytes in %.3f s", artifact, stored.object.size, seconds)
        return TransferSummary(state=TransferState.DONE, size=stored.object.size, seconds=seconds)

    def _nothing_to_do(self, artifact: Artifact) -> TransferSummary:
        latest = self.transfers.latest(artifact, Direction.UPLOAD)
        return TransferSummary(state=latest.state if latest else TransferState.REQUESTED)

    def _mend(self, artifact: Artifact) -> None:
        """Ask for the artifact again, should the bucket not hold what is recorded of it.

        As when the transfer was cancelled too late to stop its write. Or when a successor found the
        object unchanged, and so did not write: S3's condition tells bytes apart, not writes, and
        lets the late write of this worker pass.
        """
        try:
            stored = self.artifacts.find(artifact)
            if stored is not None and not self.store.holds(stored.object):
                logger.error("%s: was replaced by a late write, and is asked for again", artifact)
                self.transfers.request(artifact, Direction.UPLOAD, str(uuid4()))
        except TransferError as error:
            logger.warning("%s: not known whether it was replaced: %s", artifact, error)

    def _attempt(self, claim: Claim, keeper: LeaseKeeper) -> StoredArtifact:
        try:
            stored = self._move(claim, keeper)
            self.transfers.record(claim, stored, self.store.location(stored.object.key))
        except LeaseLostError:
            raise
        except TransferError as error:
            self._fail(claim, error)
        except Exception as error:  # noqa: BLE001 - nothing may fail without being recorded
            _log_unexpected(claim.artifact, error)
            message = redact(f"{type(error).__name__}: {error}")
            self._fail(claim, UnexpectedError(message), error)
        self.breaker.succeeded()
        return stored

    def _move(self, claim: Claim, keeper: LeaseKeeper) -> StoredArtifact:
        # A takeover counts an attempt too, so a transfer that kills its worker ends here.
        if claim.attempt > self.max_attempts:
            raise PoisonedError(f"attempt {self.max_attempts}, the last, lost its worker")
        artifact = claim.artifact
        key = self._prefix(artifact).key(artifact)
        if self.breaker.open_for:
            raise S3BreakerOpenError
        source = self.workspace.source(artifact)
        stored = self.artifacts.find(artifact)
        there = stored if stored and stored.object.key == key else None
        if there and self._is_unchanged(there, source, keeper):
            self._abort(key, keeper)
            return replace(there, object=replace(there.object, bytes_sent=0))
        sent = self._put(claim, key, source, there.object.etag if there else None, keeper)
        if source.links_left_out:
            logger.warning("%s: %d links left out", artifact, source.links_left_out)
        return StoredArtifact(
            artifact=artifact,
            object=sent,
            stored_at=self.now(),
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
            metadata=_metadata(claim.artifact),
            progress=keeper,
        )
        for _ in range(_PUT_TRIES - 1):
            try:
                return put(replaces=replaces)
            except ObjectReplacedError:
                # First the look, then the fence: whoever takes the lease over after it and writes
                # changes the ETag, so that a worker back from the dead replaces nothing.
                replaces = self.store.etag(key)
                self.transfers.renew(claim)
        return put(replaces=replaces)

    def _prefix(self, artifact: Artifact) -> JobS3Prefix:
        job = self.jobs.get(artifact.job_id)
        if artifact.run_id is not None and self.runs.get(artifact.run_id).job_id != job.id:
            raise RunOfAnotherJobError(f"run {artifact.run_id} is not a run of job {job.id}")
        return JobS3Prefix.from_job(job)

    def _is_unchanged(self, stored: StoredArtifact, source: Source, keeper: LeaseKeeper) -> bool:
        if source.exact_size not in (None, stored.object.size):
            return False
        digest = hashlib.sha256()
        for chunk in source.chunks():
            keeper.checkpoint()
            digest.update(chunk)
        return digest.hexdigest() == stored.object.sha256 and self.store.holds(stored.object)

    def _fail(self, claim: Claim, error: TransferError, cause: Exception | None = None) -> NoReturn:
        if isinstance(error, S3UnavailableError) and self._is_s3_down(error):
            self.transfers.postpone(claim, error, self.breaker.delay())
            logger.warning("%s: waits for S3, %s", claim.artifact, error.reason)
            raise error from cause
        final = self._final(claim, error)
        if final is None:
            self.transfers.wait(claim, error, self.backoff.delay(claim.attempt))
            logger.warning("%s: attempt %d failed, %s", claim.artifact, claim.attempt, error.reason)
            raise error from cause
        self.transfers.quarantine(claim, final)
        logger.error("%s: quarantined, %s", claim.artifact, final.reason)
        raise final from (cause if final is error else error)

    def _is_s3_down(self, error: S3UnavailableError) -> bool:
        if isinstance(error, S3BreakerOpenError):
            return True  # though it may have closed since
        self.breaker.failed()
        return bool(self.breaker.open_for)

    def _final(self, claim: Claim, error: TransferError) -> PermanentError | None:
        """What the transfer is given up with, unless there is another attempt."""
        if isinstance(error, PermanentError):
            return error
        mismatched_before = claim.reason_code is ReasonCode.CHECKSUM_MISMATCH
        if isinstance(error, ChecksumMismatchError) and mismatched_before:
            return ChecksumMismatchTwiceError(f"twice: {error}")
        if claim.attempt >= self.max_attempts:
            attempts = f"attempt {claim.attempt} of {self.max_attempts}"
            return AttemptsExhaustedError(f"{attempts}: {error.reason}: {error}")
        return None

    def _clean_up(self, claim: Claim, keeper: LeaseKeeper) -> None:
        if keeper.upload_id is None:
            return
        try:
            self._abort(self._prefix(claim.artifact).key(claim.artifact), keeper)
        except PipelineError as error:
            # The next reconcile aborts it.
            logger.warning("%s: its parts are still there: %s", claim.artifact, error)

    def _abort(self, key: str, keeper: LeaseKeeper) -> None:
        """Nobody goes on with the multipart upload of an attempt before, if there is one."""
        if keeper.upload_id is not None:
            self.store.abort(key, keeper.upload_id)


def _log_unexpected(artifact: Artifact, error: Exception) -> None:
    # Without the message, which may quote a path or a URL; the frames say where it happened.
    frames = "".join(traceback.format_tb(error.__traceback__))
    logger.error("%s: unexpected %s\n%s", artifact, type(error).__name__, frames)


def _metadata(artifact: Artifact) -> dict[str, str]:
    run = {} if artifact.run_id is None else {"run": str(artifact.run_id)}
    return {"job": str(artifact.job_id), **run, "kind": artifact.kind.value}
