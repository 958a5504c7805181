"""Upload and download URLs, and results without a worker, in memory."""

import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from artifact_pipeline.domain.catalog.located_uploads import LocatedUploads
from artifact_pipeline.domain.errors import (
    InvalidRequestError,
    SourceEmptyError,
    SourceInvalidError,
    SourceMissingError,
)
from artifact_pipeline.domain.fakes.copier import InMemoryCopier
from artifact_pipeline.domain.fakes.objects import InMemoryReader
from artifact_pipeline.domain.fakes.storage import InMemoryStore
from artifact_pipeline.domain.model.addresses import parse_address
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.job_uploads import PlatformUpload
from artifact_pipeline.domain.model.keys import PlatformPrefix
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.domain.platform.repository_shapes import (
    UploadLocations,
    upload_key,
)
from artifact_pipeline.domain.platform.store_repositories import StoredResults
from artifact_pipeline.domain.ports.artifacts import IArtifactRepository
from artifact_pipeline.domain.ports.platform import url_of
from artifact_pipeline.domain.transfers.bytes_upload import BytesSource, Uninterrupted

_HOST = ".s3.invalid"
_LONGEST = timedelta(days=7)
_EARLIEST = (1980, 1, 1, 0, 0, 0)


@dataclass(slots=True)
class InMemoryUploadLocations(UploadLocations):
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
            progress=Uninterrupted,
            artifacts=self.artifacts,
        )

    def _read_clock(self) -> datetime:
        return self.now()

    def get_upload_location(
        self, job_upload: PlatformUpload, s3_prefix: PlatformPrefix
    ) -> UploadLocation:
        address = ObjectAddress(self.reader.bucket, upload_key(job_upload, s3_prefix))
        return _signed(address, self.expires_in, self.signed_headers)


@dataclass
class InMemoryResults(StoredResults):
    """Zips what is on the disk, and follows no links."""

    store: InMemoryStore
    bucket: str = "bucket"
    expires_in: timedelta = timedelta(days=1)

    def __post_init__(self) -> None:
        super().__init__(self.store, _packed)

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


def _packed(artifact: Artifact, results_dir: Path) -> BytesSource:
    return BytesSource(_zipped(artifact, results_dir))


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
