"""Objects in a directory: `IObjectReader` over files."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from artifact_pipeline.domain.errors import (
    ChecksumMismatchError,
    ObjectReplacedError,
    PermanentError,
)
from artifact_pipeline.domain.model.checksums import SHA256, Checksum
from artifact_pipeline.domain.model.digests import sha256_of
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress, Tier
from artifact_pipeline.domain.ports.object_store import Verifier
from artifact_pipeline.worker.file_store.descriptions import (
    TO_READ,
    Description,
    read_description,
)
from artifact_pipeline.worker.file_store.failures import ABSENT, translated
from artifact_pipeline.worker.file_store.layout import is_key, place_of, version_of
from artifact_pipeline.worker.file_store.listing import files_below
from artifact_pipeline.worker.file_store.root import StoreRoot
from artifact_pipeline.worker.file_store.writing import composite
from artifact_pipeline.worker.workspace.enclosure import is_regular
from artifact_pipeline.worker.workspace.files import CHUNK

PART_SIZE = "part_size"
CONTENT_TYPE = "content_type"
"""What the `headers` of an object have beside those that were given with it."""
_FACTOR = 4
"""Parts that many times as large as the wanted ranges, or as small, are taken for ranges."""


@dataclass(frozen=True, slots=True)
class Sha256Verifier:
    expected: str
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    is_sure: bool = True

    def update(self, chunk: bytes) -> None:
        self.digest.update(chunk)

    def check(self) -> None:
        if self.digest.hexdigest() != self.expected:
            raise ChecksumMismatchError("the bytes have another SHA-256 than the object")


@dataclass(frozen=True, slots=True)
class UndescribedVerifier:
    """For a file that was put there by hand: nothing is known but its size."""

    is_sure: bool = False

    def update(self, chunk: bytes) -> None:
        """Take the next bytes, which nothing can be compared with."""

    def check(self) -> None:
        """Pass: reading has seen to the size."""


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file of the store that is open.

    Attributes:
        directory: a descriptor of the directory where it is.
        file: its descriptor.
        seen: its state when it was opened.
    """

    directory: int
    file: int
    seen: os.stat_result

    @property
    def version(self) -> str:
        return version_of(self.seen)

    def is_unchanged(self) -> bool:
        """Return whether it has not been written to since."""
        return version_of(os.fstat(self.file)) == self.version


@dataclass(frozen=True, slots=True, kw_only=True)
class FileObjectReader:
    """Reads a store, whose root stands for its bucket, and others beside it.

    Attributes:
        root: of the store.
        others: roots of other stores whose objects an address may name.
    """

    root: StoreRoot
    others: Sequence[StoreRoot] = ()

    @property
    def bucket(self) -> str:
        return str(self.root.path)

    def root_of(self, address: ObjectAddress) -> StoreRoot | None:
        """Return the root of the store that an address names, if it is one of these."""
        named = Path(address.bucket)
        return next((root for root in (self.root, *self.others) if root.path == named), None)

    def find(self, address: ObjectAddress) -> BucketObject | None:
        with _placed(address), translated(address.key), self._opened(address) as opened:
            if opened is None:
                return None
            found = self._described(address, opened)
        if found is None:
            # It was replaced between the file and its description, which is gone with it.
            return self.find(address)
        return found

    def list(self, prefix: str, *, after: str = "") -> Iterator[BucketObject]:
        with translated(prefix), closing(files_below(self.root, prefix)) as files:
            for key, seen in files:
                if key.encode(errors="surrogateescape") <= after.encode(errors="surrogateescape"):
                    continue
                yield _object(ObjectAddress(self.bucket, key), seen, None)

    def tier(self, name: str) -> Tier:
        return Tier(name)

    def read(
        self, source: BucketObject, start: int = 0, stop: int | None = None
    ) -> Iterator[bytes]:
        at, stop = start, source.size if stop is None else stop
        with ExitStack() as stack:
            stack.enter_context(_placed(source.address))
            stack.enter_context(translated(source.address.key))
            opened = stack.enter_context(self._opened(source.address))
            if opened is None or opened.version != source.version:
                raise ObjectReplacedError
            while at < stop:
                chunk = os.pread(opened.file, min(CHUNK, stop - at), at)
                # Check before the bytes leave: a file may also be changed in place, by hand.
                if not chunk or not opened.is_unchanged():
                    raise ObjectReplacedError
                at += len(chunk)
                yield chunk

    def verifier(self, source: BucketObject) -> Verifier:
        sha256 = source.sha256
        if sha256 is None:
            found = self.find(source.address)
            if found is None or found.version != source.version:
                raise ObjectReplacedError
            sha256 = found.sha256
        return UndescribedVerifier() if sha256 is None else Sha256Verifier(sha256)

    def range_size(self, source: BucketObject, wanted: int) -> int:
        checksum = source.checksum(SHA256)
        if checksum is None or not checksum.parts or source.size <= wanted:
            return wanted
        size = (source.headers or {}).get(PART_SIZE)
        if not isinstance(size, int):
            return wanted
        # Larger ones would lose more at a kill, and smaller ones cost more requests.
        return size if wanted <= size * _FACTOR and size <= wanted * _FACTOR else wanted

    def is_proven(self, source: BucketObject, digests: Sequence[bytes]) -> bool:
        if len(digests) == 1:
            return digests[0].hex() == source.sha256
        return composite(digests) == source.checksum(SHA256)

    def sha256_of(self, source: BucketObject) -> str:
        """Return the SHA-256 of that very object; it is read if nothing else tells."""
        if source.sha256 is not None:
            return source.sha256
        return sha256_of(self.read(source)).hex()

    @contextmanager
    def _opened(self, address: ObjectAddress) -> Iterator[OpenFile | None]:
        """Open a file without following a link; None if it is missing."""
        root = self.root_of(address)
        with ExitStack() as stack:
            opened = None
            if root is not None and is_key(address.key):
                opened = _open(root, address.key, stack)
            yield opened

    def _described(self, address: ObjectAddress, opened: OpenFile) -> BucketObject | None:
        """Return the object; None if it was replaced before its description could be read."""
        name = place_of(address.key).name
        description = read_description(opened.directory, name, opened.version)
        if description is None:
            with self._opened(address) as again:
                if again is None or again.version != opened.version:
                    return None
        return _object(address, opened.seen, description)


def _open(root: StoreRoot, key: str, stack: ExitStack) -> OpenFile | None:
    place = place_of(key)
    try:
        directory = stack.enter_context(root.reached(place.parent, make=False))
        if directory is None:
            return None
        file = os.open(place.name, TO_READ, dir_fd=directory)
    except OSError as error:
        if error.errno in ABSENT:
            return None
        raise
    stack.callback(os.close, file)
    seen = os.fstat(file)
    return OpenFile(directory, file, seen) if is_regular(seen) else None


def _object(
    address: ObjectAddress, seen: os.stat_result, description: Description | None
) -> BucketObject:
    return BucketObject(
        address=address,
        size=seen.st_size,
        version=version_of(seen),
        modified_at=datetime.fromtimestamp(seen.st_mtime, UTC),
        sha256=description.sha256 if description else None,
        checksums=(Checksum.parse(SHA256, description.checksum),) if description else None,
        metadata=description.metadata if description else None,
        headers=_headers(description) if description else None,
    )


def _headers(description: Description) -> dict[str, object]:
    own = {CONTENT_TYPE: description.content_type, PART_SIZE: description.part_size}
    return {**description.headers, **own}


@contextmanager
def _placed(address: ObjectAddress) -> Iterator[None]:
    """Name the object in a refusal."""
    try:
        yield
    except PermanentError as error:
        error.place = address.url
        raise
