"""The workspace and the bucket in memory."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from artifact_pipeline.domain.errors import (
    ObjectReplacedError,
    SourceEmptyError,
    SourceMissingError,
)
from artifact_pipeline.domain.model.artifacts import Artifact, OpenUpload, StoredObject
from artifact_pipeline.domain.model.checksums import SHA256, Checksum
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.preconditions import Precondition
from artifact_pipeline.domain.ports.object_store import UploadProgress
from artifact_pipeline.domain.ports.workspace import Source


@dataclass(frozen=True, slots=True)
class InMemorySource:
    content: bytes
    exact_size: int | None
    links_left_out: int = 0
    chunk_size: int = 64 * 1024

    @property
    def largest_size(self) -> int:
        return len(self.content)

    def chunks(self) -> Iterator[bytes]:
        for start in range(0, len(self.content), self.chunk_size):
            yield self.content[start : start + self.chunk_size]


@dataclass(slots=True)
class InMemoryWorkspace:
    contents: dict[Artifact, bytes] = field(default_factory=dict)

    def source(self, artifact: Artifact) -> Source:
        if artifact not in self.contents:
            raise SourceMissingError(f"there is no {artifact}")
        content = self.contents[artifact]
        if not content:
            raise SourceEmptyError(f"{artifact} has no bytes")
        # A directory is zipped while it is sent, so its size is known afterwards.
        return InMemorySource(content, None if artifact.kind.is_packed else len(content))


class InMemoryEndpointFailures:
    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def count(self, endpoint: str) -> int:
        self.counts[endpoint] += 1
        return self.counts[endpoint]

    def forget(self, endpoint: str) -> None:
        del self.counts[endpoint]


@dataclass(slots=True)
class InMemoryStore:
    """A bucket.

    Attributes:
        puts: how often each key was put, failures included.
        failures: what the next puts raise, one each, before they store anything.
        headers: what each object has beside its metadata and its type, if anything.
        uploads: unfinished uploads.
    """

    objects: dict[str, bytes] = field(default_factory=dict)
    metadata: dict[str, dict[str, str]] = field(default_factory=dict)
    content_types: dict[str, str] = field(default_factory=dict)
    headers: dict[str, dict[str, Any]] = field(default_factory=dict)
    puts: Counter[str] = field(default_factory=Counter)
    failures: list[Exception] = field(default_factory=list)
    aborted: list[tuple[str, str]] = field(default_factory=list)
    uploads: list[OpenUpload] = field(default_factory=list)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    endpoint: str = "s3.invalid"

    def put(  # noqa: PLR0913 - as the port has it
        self,
        key: str,
        source: Source,
        *,
        content_type: str,
        metadata: dict[str, str],
        precondition: Precondition,
        progress: UploadProgress,
    ) -> StoredObject:
        self.puts[key] += 1
        if self.failures:
            raise self.failures.pop(0)
        content = bytearray()
        for chunk in source.chunks():
            progress.checkpoint()
            content += chunk
        if not precondition.allows(self.version(key)) and self.objects.get(key) != bytes(content):
            raise ObjectReplacedError
        self.objects[key] = bytes(content)
        self.metadata[key] = metadata
        self.content_types[key] = content_type
        self.headers.pop(key, None)
        stored = stored_object(key, self.objects[key])
        return replace(stored, bytes_sent=stored.size)

    def holds(self, stored: StoredObject) -> bool:
        content = self.objects.get(stored.key)
        return content is not None and hashlib.sha256(content).hexdigest() == stored.sha256

    def version(self, key: str) -> str | None:
        content = self.objects.get(key)
        return None if content is None else stored_object(key, content).version

    def abort(self, key: str, upload_id: str) -> None:
        self.aborted.append((key, upload_id))
        self.uploads = [upload for upload in self.uploads if upload.upload_id != upload_id]

    def open_uploads(self, prefix: str) -> Iterator[OpenUpload]:
        below = [upload for upload in self.uploads if upload.key.startswith(prefix)]
        return iter([replace(upload, listed_at=self.clock()) for upload in below])

    def location(self, key: str) -> UploadLocation:
        return UploadLocation(f"https://bucket.s3.invalid/{key}")


def stored_object(key: str, content: bytes, tier_name: str = "STANDARD") -> StoredObject:
    """Return what the store would tell of an object with this content."""
    digest = hashlib.sha256(content)
    return StoredObject(
        key=key,
        size=len(content),
        sha256=digest.hexdigest(),
        version=digest.hexdigest()[:32],
        checksum=Checksum(SHA256, digest.hexdigest()),
        tier_name=tier_name,
    )
