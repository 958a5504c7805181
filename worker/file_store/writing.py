"""Writing a source to an upload in parts; those that are on the disk are not written again."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from artifact_pipeline.domain.model.checksums import SHA256, Checksum
from artifact_pipeline.domain.model.digests import feed
from artifact_pipeline.domain.ports.object_store import UploadProgress
from artifact_pipeline.domain.ports.packed import form_begun
from artifact_pipeline.domain.ports.workspace import Source
from artifact_pipeline.worker.file_store.descriptions import write_all
from artifact_pipeline.worker.file_store.uploads import FileUpload


@dataclass(frozen=True, slots=True)
class Written:
    """The bytes of an upload.

    Attributes:
        checksum: of the whole, or of its parts if there are several.
        bytes_sent: those that were not there already.
    """

    size: int
    sha256: str
    checksum: Checksum
    bytes_sent: int


def composite(digests: Sequence[bytes]) -> Checksum:
    """Return the checksum of an object from the SHA-256 of its parts."""
    if len(digests) == 1:
        return _checksum(digests[0])
    return _checksum(hashlib.sha256(b"".join(digests)).digest(), len(digests))


def _checksum(digest: bytes, parts: int = 0) -> Checksum:
    return Checksum(SHA256, base64.b64encode(digest).decode("ascii"), parts)


def write_source(
    upload: FileUpload,
    source: Source,
    *,
    part_size: int,
    resumable_from: int,
    progress: UploadProgress,
) -> Written:
    """Write all bytes of the source, and bring them to the disk.

    Args:
        upload: where they go; the parts with marks are compared, and written if they differ.
        source: the bytes.
        part_size: the size of all parts but the last.
        resumable_from: the size from which on another attempt may go on with the upload.
        progress: the other end of the lease.
    """
    if upload.marks:
        source = form_begun(source, 0, part_size, lambda part: _digest(part) == upload.marks[0])
    whole = hashlib.sha256()
    parts = _Parts(upload, part_size, resumable_from, progress)
    feed(source.chunks(), whole.update, parts.take)
    parts.end()
    upload.finish(parts.size)
    checksum = composite(parts.digests or [whole.digest()])
    return Written(parts.size, whole.hexdigest(), checksum, parts.bytes_sent)


def _digest(part: bytes) -> bytes:
    return hashlib.sha256(part).digest()


class _Parts:
    """The parts of one upload, in their order."""

    def __init__(
        self, upload: FileUpload, part_size: int, resumable_from: int, progress: UploadProgress
    ) -> None:
        self._upload = upload
        self._part_size = part_size
        self._resumable_from = resumable_from
        self._progress = progress
        self._is_known = progress.upload_id == upload.id
        self.size = self.bytes_sent = 0
        self.digests: list[bytes] = []
        self._begin_part()

    def take(self, chunk: bytes) -> None:
        """Take the next bytes of the source."""
        rest = memoryview(chunk)
        while rest:
            piece = rest[: self._part_size - self._filled]
            self._digest.update(piece)
            self._keep(piece)
            self._filled += len(piece)
            self.size += len(piece)
            rest = rest[len(piece) :]
            if self._filled == self._part_size:
                self._end_part()

    def end(self) -> None:
        """End the last part."""
        if self._filled:
            self._end_part()

    def _keep(self, piece: memoryview) -> None:
        if self._compared is None:
            self._write(piece, self.size)
        else:
            self._compared.append(bytes(piece))

    def _write(self, piece: bytes | memoryview, at: int) -> None:
        write_all(self._upload.content, piece, at)
        self.bytes_sent += len(piece)

    def _begin_part(self) -> None:
        self._digest = hashlib.sha256()
        self._filled = 0
        has_mark = len(self.digests) < len(self._upload.marks)
        self._compared: list[bytes] | None = [] if has_mark else None

    def _end_part(self) -> None:
        digest, number = self._digest.digest(), len(self.digests)
        if self._compared is not None and self._upload.marks[number] != digest:
            self._upload.forget_from(number)
            at = self.size - self._filled
            for piece in self._compared:
                self._write(piece, at)
                at += len(piece)
        self.digests.append(digest)
        self._progress.checkpoint()
        self._mark()
        self._begin_part()

    def _mark(self) -> None:
        if not self._is_known and self.size >= self._resumable_from:
            self._progress.started(self._upload.id)
            self._is_known = True
        unmarked = self.digests[len(self._upload.marks) :]
        if self._is_known and unmarked:
            self._upload.mark(unmarked)
