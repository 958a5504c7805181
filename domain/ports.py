"""What the use cases need from the outside. `domain.fakes` has each in memory."""

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

from domain.artifacts import Artifact, OpenUpload, StoredArtifact, StoredObject
from domain.job_ports import IJobRepository as IJobRepository  # noqa: PLC0414 - re-exported
from domain.job_ports import IRunRepository as IRunRepository  # noqa: PLC0414 - re-exported
from domain.locations import UploadLocation
from domain.transfer_ports import (
    IRequestedTransfers as IRequestedTransfers,  # noqa: PLC0414 - re-exported
)
from domain.transfer_ports import (
    ITransferRepository as ITransferRepository,  # noqa: PLC0414 - re-exported
)
from domain.transfer_ports import (
    ITransferRequests as ITransferRequests,  # noqa: PLC0414 - re-exported
)


@runtime_checkable
class IArtifactRepository(Protocol):
    def find(self, artifact: Artifact) -> StoredArtifact | None:
        """What is recorded of the artifact, if it is stored."""

    def of_job(self, job_id: int) -> Sequence[StoredArtifact]:
        """All that is recorded of the job and its runs."""

    def record(
        self, stored: StoredArtifact, location: UploadLocation, known: StoredArtifact | None
    ) -> StoredArtifact:
        """Write the artifact and the platform's row of it in one transaction.

        Returns:
            What was recorded, with its time.

        Raises:
            ObjectReplacedError: another was recorded since `known` was read.
            JobReplacedError, RunOfAnotherJobError: the ids are another job's by now.
        """

    def replace(self, stored: StoredArtifact, known: StoredArtifact) -> bool:
        """Write what became of it unless another was recorded since `known`; whether it was."""


@runtime_checkable
class IEndpointFailures(Protocol):
    """How often S3 endpoints have failed since they were last known to work."""

    def count(self, endpoint: str) -> int:
        """Count one more failure; how many there are now. Those of long ago are forgotten."""

    def forget(self, endpoint: str) -> None:
        """It works."""


@runtime_checkable
class Source(Protocol):
    """The bytes of an artifact in the workspace."""

    @property
    def exact_size(self) -> int | None:
        """Bytes, where they are known without reading."""

    @property
    def largest_size(self) -> int:
        """Bytes that there can be at the most."""

    @property
    def links_left_out(self) -> int:
        """How many links led outside, or in a circle; known once all chunks were read."""

    def chunks(self) -> Iterator[bytes]:
        """The bytes, the same at each call.

        Raises:
            SourceChangedError: the source changed while it was read.
        """


@runtime_checkable
class IWorkspace(Protocol):
    def source(self, artifact: Artifact) -> Source:
        """The artifact's source, or SourceMissingError, SourceEmptyError, SourceInvalidError."""


@runtime_checkable
class UploadProgress(Protocol):
    """How an upload and the holder of its lease speak to each other."""

    @property
    def upload_id(self) -> str | None:
        """The multipart upload to go on with."""

    def started(self, upload_id: str) -> None:
        """A multipart upload has begun."""

    def checkpoint(self) -> None:
        """Called between parts; LeaseLostError where the upload must stop."""


@runtime_checkable
class IObjectStore(Protocol):
    @property
    def endpoint(self) -> str:
        """The server's host, and its port if there is one."""

    def put(  # noqa: PLR0913 - what it is, where it goes, what it replaces
        self,
        key: str,
        source: Source,
        *,
        content_type: str,
        metadata: dict[str, str],
        replaces: str | None,
        progress: UploadProgress,
    ) -> StoredObject:
        """Store the source under the key; returns once S3 acknowledged the checksum.

        An object with the same bytes that is there already, as from an attempt that died before
        it could record it, is taken for this one.

        Args:
            key: where it goes.
            source: its bytes.
            content_type: what they are.
            metadata: kept with the object.
            replaces: the ETag of the object that it may replace; None where there is none.
            progress: the other end of the lease.

        Raises:
            ObjectReplacedError: there is another object than the one to be replaced.
        """

    def etag(self, key: str) -> str | None:
        """The ETag of the object that is there now, if any."""

    def holds(self, stored: StoredObject) -> bool:
        """Whether the bucket still has just this object."""

    def abort(self, key: str, upload_id: str) -> None:
        """Drop the parts of a multipart upload that nobody will go on with."""

    def open_uploads(self, prefix: str) -> Iterator[OpenUpload]:
        """Every multipart upload below the prefix that was neither completed nor aborted."""

    def location(self, key: str) -> UploadLocation:
        """The object's permanent URL."""
