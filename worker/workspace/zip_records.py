"""A zip whose entries are deflated elsewhere: `zipfile` writes the records around them."""

import struct
import zipfile
from collections.abc import Iterator

from artifact_pipeline.worker.workspace.files import CHUNK

_MIN_CHUNK = 256 * 1024
_HAS_DATA_DESCRIPTOR = 0x08
_HAS_UTF8_NAME = 0x800
_DESCRIPTOR_SIGNATURE = 0x08074B50
# Decide as zipfile does, before the deflated size is known.
_MARGIN = 1.05

# Bytes of the records around an entry's content, each as large as with ZIP64.
_LOCAL_HEADER = 30 + 20
_DATA_DESCRIPTOR = 24
_CENTRAL_HEADER = 46 + 28
END_SIZE = 56 + 20 + 22


def largest_records(name: str, extra: int) -> int:
    """Return how many bytes the records of an entry can have, with that many bytes of `extra`."""
    names_and_fields = 2 * (len(name.encode()) + extra)
    return _LOCAL_HEADER + _DATA_DESCRIPTOR + _CENTRAL_HEADER + names_and_fields


class ZipRecords:
    """Collects a zip, to be taken in chunks while it is made."""

    def __init__(self) -> None:
        self._sink = _Sink()
        self._archive = zipfile.ZipFile(self._sink, "w")

    def add_directory(self, info: zipfile.ZipInfo) -> None:
        info.flag_bits = _name_flag(info)
        self._archive.mkdir(info)

    def begin(self, info: zipfile.ZipInfo) -> None:
        """Write the header of a file whose `file_size` is known and whose CRC is not."""
        info.header_offset = self._sink.tell()
        info.flag_bits = _HAS_DATA_DESCRIPTOR | _name_flag(info)
        self._sink.write(info.FileHeader(_needs_zip64(info)))

    def add(self, deflated: bytes | bytearray) -> None:
        self._sink.write(deflated)

    def end(self, info: zipfile.ZipInfo, crc: int, deflated_size: int) -> None:
        """Write what follows the content, and list the file in the central directory."""
        info.CRC, info.compress_size = crc, deflated_size
        descriptor = "<LLQQ" if _needs_zip64(info) else "<LLLL"
        sizes = (info.compress_size, info.file_size)
        self._sink.write(struct.pack(descriptor, _DESCRIPTOR_SIGNATURE, crc, *sizes))
        self._archive.filelist.append(info)
        self._archive.start_dir = self._sink.tell()

    def close(self) -> None:
        """Write the central directory."""
        self._archive.close()

    def take(self, at_least: int = _MIN_CHUNK) -> Iterator[bytes]:
        """Yield and forget chunks while there are that many bytes."""
        return self._sink.take(at_least)


def _name_flag(info: zipfile.ZipInfo) -> int:
    # Since Python 3.14, zipfile writes a name in cp437 where that is possible, unless asked for
    # UTF-8. Earlier versions keep the flag, also at a name that needs none.
    return 0 if info.filename.isascii() else _HAS_UTF8_NAME


def _needs_zip64(info: zipfile.ZipInfo) -> bool:
    return info.file_size * _MARGIN > zipfile.ZIP64_LIMIT


class _Sink:
    """Takes what zipfile writes. Without `seek`, so zipfile never goes back to fill in sizes."""

    def __init__(self) -> None:
        self._total = 0
        self._bytes = bytearray()

    def write(self, data: bytes | bytearray) -> int:
        self._bytes += data
        self._total += len(data)
        return len(data)

    def tell(self) -> int:
        return self._total

    def flush(self) -> None:
        """Do nothing; zipfile calls it."""

    def close(self) -> None:
        """Do nothing; zipfile leaves it to the one who opened."""

    def take(self, at_least: int) -> Iterator[bytes]:
        while len(self._bytes) >= at_least:
            piece = bytes(self._bytes[:CHUNK])
            del self._bytes[:CHUNK]
            yield piece
