"""What is in the bucket, and where a download puts it, in memory."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Self

from artifact_pipeline.domain.errors import (
    ArchivedError,
    ChecksumMismatchError,
    ObjectReplacedError,
    TargetBusyError,
    TargetExistsError,
)
from artifact_pipeline.domain.fakes.storage import InMemoryStore
from artifact_pipeline.domain.model.checksums import SHA256, Checksum
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress, Tier
from artifact_pipeline.domain.model.restorations import NOT_RESTORED, Restoration
from artifact_pipeline.domain.ports.object_store import Verifier

_LONG_AGO = datetime(2025, 10, 23, 21, 15, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Read:
    """What was asked for."""

    address: ObjectAddress
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class InMemoryVerifier:
    """Takes the version for what it is in `InMemoryStore`: the beginning of the SHA-256."""

    version: str
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    is_sure: bool = True

    def update(self, chunk: bytes) -> None:
        self.digest.update(chunk)

    def check(self) -> None:
        if self.digest.hexdigest()[:32] != self.version:
            raise ChecksumMismatchError("the bytes are not the object's")


def of_ranges(digests: Sequence[bytes]) -> Checksum:
    """Return the checksum of an object that was uploaded in parts with these SHA-256."""
    return Checksum(SHA256, hashlib.sha256(b"".join(digests)).hexdigest(), len(digests))


@dataclass(slots=True)
class InMemoryReader:
    """Reads what a store has put.

    Attributes:
        elsewhere: objects in other buckets.
        modified_at: when an object was put there; unless told, long ago.
        tier_names: of the objects that are not in STANDARD.
        restorations: of archived objects that were asked to be restored.
        without_sha256: addresses of objects whose SHA-256 no answer has.
        reads: all that was asked for.
        failures: what the next reads raise, one each, after half of their bytes; None lets one be.
        refused: what a look at an object raises; a listing shows it all the same.
    """

    store: InMemoryStore
    bucket: str = "bucket"
    elsewhere: dict[ObjectAddress, bytes] = field(default_factory=dict)
    modified_at: dict[ObjectAddress, datetime] = field(default_factory=dict)
    tier_names: dict[ObjectAddress, str] = field(default_factory=dict)
    restorations: dict[ObjectAddress, Restoration] = field(default_factory=dict)
    without_sha256: set[ObjectAddress] = field(default_factory=set)
    reads: list[Read] = field(default_factory=list)
    failures: list[Exception | None] = field(default_factory=list)
    refused: dict[ObjectAddress, Exception] = field(default_factory=dict)
    chunk_size: int = 64 * 1024

    def find(self, address: ObjectAddress) -> BucketObject | None:
        if address in self.refused:
            raise self.refused[address]
        return self._described(address)

    def _described(self, address: ObjectAddress) -> BucketObject | None:
        content = self._content(address)
        if content is None:
            return None
        digest = hashlib.sha256(content).hexdigest()
        return BucketObject(
            address=address,
            size=len(content),
            version=digest[:32],
            modified_at=self.modified_at.get(address, _LONG_AGO),
            tier=self.tier(self.tier_names.get(address, "STANDARD")),
            sha256=None if address in self.without_sha256 else digest,
            metadata=self.store.metadata.get(address.key, {}) if self._is_here(address) else {},
            headers=self.store.headers.get(address.key, {}) if self._is_here(address) else {},
            restoration=self.restorations.get(address, NOT_RESTORED),
        )

    def list(self, prefix: str, *, after: str = "") -> Iterator[BucketObject]:
        for key in sorted(self.store.objects):
            found = self._described(ObjectAddress(self.bucket, key))
            if found is not None and key.startswith(prefix) and key > after:
                yield replace(
                    found, sha256=None, metadata=None, headers=None, restoration=None
                )  # a listing never tells them

    def tier(self, name: str) -> Tier:
        # Every tier but the standard ones is an archive, and offline.
        is_archive = not name.startswith("STANDARD")
        return Tier(name, is_archive=is_archive, must_be_restored=is_archive)

    def read(
        self, source: BucketObject, start: int = 0, stop: int | None = None
    ) -> Iterator[bytes]:
        stop = source.size if stop is None else stop
        self.reads.append(Read(source.address, start, stop))
        failure = self.failures.pop(0) if self.failures else None
        wanted = self._of(source)[start:stop]
        sent = wanted if failure is None else wanted[: len(wanted) // 2]
        for at in range(0, len(sent), self.chunk_size):
            yield sent[at : at + self.chunk_size]
        if failure is not None:
            raise failure

    def verifier(self, source: BucketObject) -> Verifier:
        return InMemoryVerifier(source.version)

    def range_size(self, source: BucketObject, wanted: int) -> int:  # noqa: ARG002 - as `IObjectReader` has it
        return wanted

    def is_proven(self, source: BucketObject, digests: Sequence[bytes]) -> bool:
        return source.checksum(SHA256) == of_ranges(digests)

    def _is_here(self, address: ObjectAddress) -> bool:
        return address.bucket == self.bucket

    def _content(self, address: ObjectAddress) -> bytes | None:
        if self._is_here(address):
            return self.store.objects.get(address.key)
        return self.elsewhere.get(address)

    def _of(self, source: BucketObject) -> bytes:
        content = self._content(source.address)
        if content is None or hashlib.sha256(content).hexdigest()[:32] != source.version:
            raise ObjectReplacedError
        tier = self.tier(self.tier_names.get(source.address, "STANDARD"))
        restoration = self.restorations.get(source.address, NOT_RESTORED)
        if tier.must_be_restored and restoration.until is None:
            raise ArchivedError
        return content


@dataclass(slots=True)
class InMemoryTarget:
    """A place in an output directory.

    Attributes:
        content: of the file; None if it does not exist.
        fetched: the content of a partial file.
        is_busy: whether another process is at it.
    """

    content: bytes | None = None
    fetched: "InMemoryPartialFile | None" = None
    is_busy: bool = False

    @property
    def exists(self) -> bool:
        return self.content is not None

    def chunks(self) -> Iterator[bytes]:
        if self.content:
            yield self.content

    @contextmanager
    def partial(self, source: BucketObject, range_size: int) -> Iterator["InMemoryPartialFile"]:
        if self.is_busy:
            raise TargetBusyError
        if self.fetched is None or not self.fetched.is_of(source, range_size):
            self.fetched = InMemoryPartialFile.of(self, source, range_size)
        self.is_busy = True
        try:
            yield self.fetched
        finally:
            self.is_busy = False

    def has_part_of_another(self, source: BucketObject, range_size: int) -> bool:
        return self.fetched is not None and not self.fetched.is_of(source, range_size)

    def discard(self) -> None:
        if self.is_busy:
            raise TargetBusyError
        self.fetched = None


@dataclass(slots=True)
class InMemoryPartialFile:
    target: InMemoryTarget
    source: BucketObject
    range_size: int
    content: bytearray
    marks: dict[int, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, target: InMemoryTarget, source: BucketObject, range_size: int) -> Self:
        return cls(target, source, range_size, bytearray(source.size))

    def is_of(self, source: BucketObject, range_size: int) -> bool:
        known = (self.source.address, self.source.version, self.source.size, self.range_size)
        return known == (source.address, source.version, source.size, range_size)

    def write(self, at: int, chunk: bytes) -> None:
        self.content[at : at + len(chunk)] = chunk

    def mark(self, number: int, digest: bytes) -> None:
        self.marks[number] = digest

    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        yield bytes(self.content[start:stop])

    def finish(self, *, replace: bool) -> None:
        if not replace and self.target.exists:
            raise TargetExistsError
        self.target.content = bytes(self.content)
        self.target.fetched = None

    def discard(self) -> None:
        self.target.fetched = None
