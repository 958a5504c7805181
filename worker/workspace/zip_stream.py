"""A run's results as a zip that is made while it is read.

The same files give the same bytes: what depends on the machine, the order or the moment is fixed.
The times of modification are left out for this reason, unless they are asked for.
"""

import stat
import zipfile
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from copy import copy

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.worker.workspace.deflate import (
    Deflated,
    DeflateStream,
    WholeDeflate,
    largest_deflated,
)
from artifact_pipeline.worker.workspace.enclosure import Enclosure
from artifact_pipeline.worker.workspace.extra_fields import timestamp
from artifact_pipeline.worker.workspace.failures import changed
from artifact_pipeline.worker.workspace.files import read
from artifact_pipeline.worker.workspace.read_ahead import DeflatedEntry, ReadAhead
from artifact_pipeline.worker.workspace.scan import Entry, Listing, scan
from artifact_pipeline.worker.workspace.zip_records import END_SIZE, ZipRecords, largest_records

_EARLIEST = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_FILE_ATTRIBUTES = (stat.S_IFREG | 0o644) << 16
_EXECUTABLE_ATTRIBUTES = (stat.S_IFREG | 0o755) << 16
_DIRECTORY_ATTRIBUTES = (stat.S_IFDIR | 0o755) << 16 | 0x10  # 0x10: MS-DOS's directory bit
_TIMESTAMP = 9

DEFAULT_THREADS = 4
"""As many as the default of ARTIFACTS_TRANSFER_THREADS."""


class ZippedDirectory:
    """The RUN* directories of an enclosure as a zip, with what they held when this was made.

    Args:
        run: the name of the RUN* directory that the enclosure itself is, if it holds none.
        keeps_times: pack the files' times of modification.
        threads: how many files are deflated at once; it makes no difference to the bytes.

    Attributes:
        deflater: of the files that are deflated ahead.

    Raises:
        SourceMissingError, SourceEmptyError, SourceInvalidError, SourceUnreadableError: as `scan`.
    """

    def __init__(
        self,
        artifact: Artifact,
        enclosure: Enclosure,
        run: str = "",
        *,
        keeps_times: bool = False,
        threads: int = DEFAULT_THREADS,
    ) -> None:
        self._artifact = artifact
        self._enclosure = enclosure
        self._run = run
        self._keeps_times = keeps_times
        self._threads = threads
        self.deflater: Callable[[], Deflated] = WholeDeflate
        self._listing = self._scan()

    @property
    def exact_size(self) -> None:
        return None

    @property
    def largest_size(self) -> int:
        return END_SIZE + sum(_largest_size(entry) for entry in self._listing.entries)

    @property
    def links_left_out(self) -> int:
        return self._listing.left_out

    @property
    def former(self) -> "Sequence[ZippedDirectory]":
        """The same entries, all deflated by zlib: releases before 0.2 made such zips."""
        if self.deflater is DeflateStream:
            return ()
        by_zlib = copy(self)
        by_zlib.deflater = DeflateStream
        return (by_zlib,)

    def chunks(self) -> Generator[bytes, None, None]:
        """Yield the zip. Its threads end when this ends or is closed."""
        records = ZipRecords()
        ahead = ReadAhead(self._read, self._threads, self.deflater).deflated(self._listing.entries)
        with closing(ahead):
            for deflated in ahead:
                yield from self._zipped(deflated, records)
        # Each file was checked when it was read; this finds files added or changed since.
        if self._scan().entries != self._listing.entries:
            raise changed(self._artifact)
        records.close()
        yield from records.take(1)

    def _read(self, entry: Entry) -> Iterator[bytes]:
        if entry.stamp is None:
            return iter(())
        return read(self._artifact, self._enclosure, entry.real, entry.stamp)

    def _scan(self) -> Listing:
        return scan(self._artifact, self._enclosure, self._run)

    def _zipped(self, deflated: DeflatedEntry, records: ZipRecords) -> Iterator[bytes]:
        entry, stream = deflated.entry, deflated.stream
        info = _info(entry)
        if entry.stamp is None:
            records.add_directory(info)
        else:
            if self._keeps_times:
                info.extra = timestamp(entry.stamp.mtime_ns)
            records.begin(info)
            for chunk in deflated.chunks:
                records.add(chunk)
                yield from records.take()
            records.end(info, stream.crc, stream.size)
        yield from records.take()


def _info(entry: Entry) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(entry.name, _EARLIEST)
    info.create_system = _UNIX
    info.external_attr = _attributes(entry)
    info.CRC = info.compress_size = 0  # mkdir sets them only where it makes the ZipInfo itself
    if entry.stamp:
        info.compress_type = zipfile.ZIP_DEFLATED
        # Known before the first byte, so that ZIP64 is taken just where it is needed.
        info.file_size = entry.stamp.size
    return info


def _attributes(entry: Entry) -> int:
    if entry.stamp is None:
        return _DIRECTORY_ATTRIBUTES
    return _EXECUTABLE_ATTRIBUTES if entry.is_executable else _FILE_ATTRIBUTES


def _largest_size(entry: Entry) -> int:
    deflated = largest_deflated(entry.stamp.size) if entry.stamp else 0
    return largest_records(entry.name, _TIMESTAMP) + deflated
