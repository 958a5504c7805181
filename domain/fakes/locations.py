"""Upload and download URLs, and results without a worker, in memory."""

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, overload
from urllib.parse import quote, unquote, urlsplit

from domain.addresses import parse_address
from domain.artifacts import Artifact, ArtifactKind, StoredObject
from domain.call_shapes import either
from domain.errors import (
    ArtifactMissingError,
    InvalidRequestError,
    SourceEmptyError,
    SourceInvalidError,
    SourceMissingError,
    TransferError,
)
from domain.fakes.copier import InMemoryCopier
from domain.fakes.objects import InMemoryReader
from domain.fakes.storage import InMemorySource, InMemoryStore
from domain.found import FoundArtifact
from domain.job_uploads import JobUpload, PlatformUpload
from domain.located_uploads import LocatedUploads, is_located
from domain.locations import UploadLocation
from domain.minimum_age import age_of
from domain.objects import ObjectAddress
from domain.platform_ports import ArchiveSummary, SentResults, url_of
from domain.ports import IArtifactRepository
from domain.prefix import JobS3Prefix, PlatformPrefix

_HOST = ".s3.invalid"
_SMALL = 16 * 2**20
_LONGEST = timedelta(days=7)
_EARLIEST = (1980, 1, 1, 0, 0, 0)


@dataclass(slots=True)
class InMemoryUploadLocations:
    """URLs of one bucket.

    Attributes:
        now: the clock that ages go by.
        signed_headers: a client must send them.
        artifacts: where an archive of URLs updates the rows.
    """

    reader: InMemoryReader
    copier: InMemoryCopier
    expires_in: timedelta = timedelta(hours=1)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    signed_headers: Mapping[str, str] = field(default_factory=dict)
    artifacts: IArtifactRepository | None = None

    @property
    def _located(self) -> LocatedUploads:
        return LocatedUploads(
            reader=self.reader,
            copier=self.copier,
            address_of=_address_of,
            progress=_Unguarded,
            artifacts=self.artifacts,
        )

    def get_upload_location(
        self, job_upload: PlatformUpload, s3_prefix: PlatformPrefix
    ) -> UploadLocation:
        artifact = JobUpload.of(job_upload).artifact
        if artifact.kind is ArtifactKind.RUN_RESULTS:
            raise InvalidRequestError("results are uploaded by S3ResultsRepository")
        key = JobS3Prefix.of(s3_prefix).key(artifact)
        address = ObjectAddress(self.reader.bucket, key)
        return _signed(address, self.expires_in, self.signed_headers)

    def read_content(self, location: UploadLocation) -> bytes:
        address = _address_of(location.url)
        there = self.reader.find(address)
        if there is None:
            raise ArtifactMissingError(f"there is no {address.key}")
        if there.size > _SMALL:
            raise InvalidRequestError(f"{address.key} has more than {_SMALL} bytes")
        return b"".join(self.reader.read(there))

    @overload
    def filter_by_age(
        self,
        uploads: Sequence[FoundArtifact],
        *,
        days_since_create: float | None = None,
        hours_since_create: float | None = None,
    ) -> list[FoundArtifact]: ...

    @overload
    def filter_by_age(
        self, uploads: Sequence[UploadLocation], age_threshold: datetime | None
    ) -> list[UploadLocation]: ...

    def filter_by_age(
        self,
        uploads: Sequence[Any],
        age_threshold: datetime | None = None,
        *,
        days_since_create: float | None = None,
        hours_since_create: float | None = None,
    ) -> list[Any]:
        if is_located(uploads):
            return self._located.filter_by_age(uploads, age_threshold)
        age = age_of(days_since_create, hours_since_create)
        if not age:
            return list(uploads)
        return [upload for upload in uploads if self.now() - upload.object.modified_at >= age]

    @overload
    def archive_uploads(
        self, uploads: Sequence[FoundArtifact], storage_class: str
    ) -> ArchiveSummary: ...

    @overload
    def archive_uploads(
        self, uploads: Sequence[UploadLocation], *, age_threshold: datetime | None = None
    ) -> list[UploadLocation]: ...

    def archive_uploads(
        self,
        uploads: Sequence[Any],
        storage_class: str | None = None,
        *,
        age_threshold: datetime | None = None,
    ) -> ArchiveSummary | list[UploadLocation]:
        if storage_class is None:
            return self._located.archive(uploads, age_threshold)
        return self._archive_found(uploads, storage_class)

    def _archive_found(
        self, uploads: Sequence[FoundArtifact], storage_class: str
    ) -> ArchiveSummary:
        summary = ArchiveSummary()
        for upload in uploads:
            if upload.is_archived(storage_class):
                summary.already.append(upload)
                continue
            try:
                summary.archived.append((upload, self._archive(upload, storage_class)))
            except TransferError as error:
                summary.failed.append((upload, error))
        return summary

    def _archive(self, upload: FoundArtifact, storage_class: str) -> StoredObject:
        there, artifact = upload.object, upload.artifact
        if there.address.bucket != self.reader.bucket:
            raise ArtifactMissingError(f"{artifact}: in another bucket, relocate it first")
        return self.copier.copy(
            there,
            there.address.key,
            content_type=artifact.kind.content_type,
            metadata=upload.metadata,
            replaces=there.etag,
            storage_class=storage_class,
            progress=_Unguarded(),
        )


@dataclass(slots=True)
class InMemoryResults:
    """Zips what is on the disk, and follows no links."""

    store: InMemoryStore
    bucket: str = "bucket"
    expires_in: timedelta = timedelta(days=1)

    @overload
    def upload_results(
        self, run_id: int, results_dir: Path, s3_prefix: PlatformPrefix
    ) -> SentResults: ...

    @overload
    def upload_results(
        self, job_id: int, run_id: int, zip_content: bytes, s3_prefix: PlatformPrefix
    ) -> UploadLocation: ...

    def upload_results(self, *args: Any, **kwargs: Any) -> SentResults | UploadLocation:
        sent: SentResults | UploadLocation = either(self._send, self._send_zip, args, kwargs)
        return sent

    def _send(self, run_id: int, results_dir: Path, s3_prefix: PlatformPrefix) -> SentResults:
        prefix = JobS3Prefix.of(s3_prefix)
        artifact = Artifact(ArtifactKind.RUN_RESULTS, prefix.job_id, run_id)
        stored = self._put(artifact, prefix, _zipped(artifact, results_dir))
        return SentResults(
            object=stored, location=self.store.location(stored.key), links_left_out=0
        )

    def _send_zip(
        self, job_id: int, run_id: int, zip_content: bytes, s3_prefix: PlatformPrefix
    ) -> UploadLocation:
        artifact = Artifact(ArtifactKind.RUN_RESULTS, job_id, run_id)
        return self.store.location(self._put(artifact, JobS3Prefix.of(s3_prefix), zip_content).key)

    def _put(self, artifact: Artifact, prefix: JobS3Prefix, content: bytes) -> StoredObject:
        key = prefix.key(artifact)
        return self.store.put(
            key,
            InMemorySource(content, None),
            content_type=artifact.kind.content_type,
            metadata=artifact.metadata,
            replaces=self.store.etag(key),
            progress=_Unguarded(),
        )

    def get_download_url(
        self,
        location: str | UploadLocation | None = None,
        *,
        results_url: str | None = None,
        expiration_seconds: int | None = None,
    ) -> UploadLocation:
        expires_in = self.expires_in
        if expiration_seconds is not None:
            expires_in = timedelta(seconds=expiration_seconds)
        if not timedelta() < expires_in <= _LONGEST:
            raise InvalidRequestError(
                f"expiration_seconds must be from 1, not {expiration_seconds}"
            )
        return _signed(_address_of(url_of(location, results_url)), expires_in, {})


class _Unguarded:
    """The progress of what no lease guards."""

    upload_id: str | None = None

    def started(self, upload_id: str) -> None:
        """There are no parts in memory."""

    def checkpoint(self) -> None:
        """Nobody takes it over."""


def _signed(
    address: ObjectAddress, expires_in: timedelta, headers: Mapping[str, str]
) -> UploadLocation:
    names = ";".join(["host", *headers])
    query = (
        f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires={expires_in.total_seconds():.0f}"
        f"&X-Amz-SignedHeaders={quote(names)}&X-Amz-Signature={'5' * 64}"
    )
    return UploadLocation(
        f"https://{address.bucket}{_HOST}/{quote(address.key)}?{query}", dict(headers)
    )


def _address_of(url: str) -> ObjectAddress:
    parts = urlsplit(url)
    bucket, is_ours, _ = parts.netloc.rpartition(_HOST)
    key = unquote(parts.path.removeprefix("/"))
    return ObjectAddress(bucket, key) if is_ours and bucket and key else parse_address(url)


def _zipped(artifact: Artifact, results_dir: Path) -> bytes:
    if not results_dir.exists():
        raise SourceMissingError(f"{artifact}: not in the workspace")
    if not results_dir.is_dir():
        raise SourceInvalidError(f"{artifact}: not a directory")
    top = _top(results_dir)
    names = [""] if top.name else [path.name for path in results_dir.glob("RUN*") if path.is_dir()]
    if not names:
        raise SourceMissingError(f"{artifact}: no RUN directory")
    found = sorted(path for name in names for path in (results_dir / name).rglob("*"))
    if not any(path.is_file() for path in found):
        raise SourceEmptyError(f"{artifact}: no file in any RUN directory")
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path in filter(Path.is_file, found):
            name = (top / path.relative_to(results_dir)).as_posix()
            archive.writestr(zipfile.ZipInfo(name, _EARLIEST), path.read_bytes())
    return content.getvalue()


def _top(results_dir: Path) -> Path:
    """Return where its files are in the zip: under its name, if it is one of the RUN* itself."""
    named = next((n for n in (results_dir.name, results_dir.resolve().name) if n[:3] == "RUN"), "")
    holds_only_runs = [path.name[:3] == "RUN" and path.is_dir() for path in results_dir.iterdir()]
    return Path() if holds_only_runs and all(holds_only_runs) else Path(named)
