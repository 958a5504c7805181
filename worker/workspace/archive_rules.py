"""What an archive must be to be unpacked: looked at before its first byte is."""

import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath
from typing import IO, Any

from domain.errors import UnsafeArchiveError

UNFINISHED = ".extracting"
OLD = ".extracting-old"
OURS = {UNFINISHED, OLD}
"""Not RUN*, so that half of an archive is never taken for results."""

_MIB = 2**20
_LOCAL_HEADER = 30
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_UNIX = 3
_DRIVE = re.compile(r"[A-Za-z]:")
_LONGEST_PART = 255
_LONGEST_NAME = 4096
# What others decompress with may take gigabytes for its dictionary alone.
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
# What `zipfile` raises at what is no archive, or a broken one.
BROKEN = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
    EOFError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractLimits:
    """Above what simulations leave, and below what harms the machine.

    Attributes:
        entries: files and directories.
        directory_bytes: of the archive's list of them, which is all in memory, several times over.
        total_bytes: of what is written.
        ratio: of a file to what it is compressed to; deflate gives 1032 at the most, and columns of
            zeros some hundreds.
        ratio_from: bytes of a file below which its ratio does not matter.
        depth: directories within one another.
    """

    entries: int = 1_000_000
    directory_bytes: int = 128 * _MIB
    total_bytes: int = 2**40
    ratio: int = 1_000
    ratio_from: int = 100 * _MIB
    depth: int = 64


@dataclass(frozen=True, slots=True)
class Entry:
    """Attributes: `path` is relative, and leads downwards only."""

    number: int
    info: zipfile.ZipInfo
    path: PurePosixPath


def check_directory(file: IO[bytes], limits: ExtractLimits) -> None:
    """Refuse a list of entries that is too large, before it is read."""
    # The only look at it before `zipfile` reads it whole.
    end: Any = zipfile._EndRecData(file)  # type: ignore[attr-defined]  # noqa: SLF001
    if end is None:
        raise UnsafeArchiveError("not a zip archive")
    if end[zipfile._ECD_SIZE] > limits.directory_bytes:  # type: ignore[attr-defined]  # noqa: SLF001
        raise UnsafeArchiveError("its list of entries is too large")


def checked(archive: zipfile.ZipFile, limits: ExtractLimits) -> list[Entry]:
    """The entries, once each is found harmless.

    Raises:
        UnsafeArchiveError: one is not; by its number, for its name may be anything.
    """
    infos = archive.infolist()
    if len(infos) > limits.entries:
        raise UnsafeArchiveError(f"{len(infos)} entries, at most {limits.entries} are unpacked")
    entries = [_checked_one(number, info, limits) for number, info in enumerate(infos, start=1)]
    _check_names(entries)
    _check_overlaps(archive, infos)
    if sum(info.file_size for info in infos) > limits.total_bytes:
        raise UnsafeArchiveError(f"more than {limits.total_bytes} bytes")
    return entries


def _checked_one(number: int, info: zipfile.ZipInfo, limits: ExtractLimits) -> Entry:
    wrong = _wrong_with_name(info.orig_filename, limits) or _wrong_with(info, limits)
    if wrong:
        raise UnsafeArchiveError(f"entry {number}: {wrong}")
    return Entry(number, info, PurePosixPath(info.filename))


def _wrong_with_name(name: str, limits: ExtractLimits) -> str | None:
    if not name or any(unicodedata.category(c) in {"Cc", "Cs"} for c in name):
        return "its name is none"
    if name.startswith("/") or "\\" in name or _DRIVE.match(name):
        return "its path is absolute, or of another system"
    parts = name.removesuffix("/").split("/")
    if any(part in {"", ".", ".."} for part in parts):
        return "its path leads elsewhere"
    if parts[0] in OURS:
        return "its name is reserved"
    if len(parts) > limits.depth:
        return "it lies too deep"
    is_long = any(len(part.encode()) > _LONGEST_PART for part in parts)
    return "its name is too long" if is_long or len(name.encode()) > _LONGEST_NAME else None


def _wrong_with(info: zipfile.ZipInfo, limits: ExtractLimits) -> str | None:
    if info.flag_bits & _ENCRYPTED:
        return "it is encrypted"
    if info.compress_type not in _METHODS:
        return "it is compressed by an unknown method"
    kind = stat.S_IFMT(info.external_attr >> 16) if info.create_system == _UNIX else 0
    if kind not in {0, stat.S_IFDIR if info.is_dir() else stat.S_IFREG}:
        return "it is a link or a special file"
    is_small = info.file_size <= limits.ratio_from
    if not is_small and info.file_size > limits.ratio * max(1, info.compress_size):
        return "it grows too much"
    return None


def _check_names(entries: Sequence[Entry]) -> None:
    files = {entry.path for entry in entries if not entry.info.is_dir()}
    seen: set[PurePosixPath] = set()
    for entry in entries:
        if entry.path in seen or not files.isdisjoint(entry.path.parents):
            raise UnsafeArchiveError(f"entry {entry.number}: another one has its name")
        seen.add(entry.path)


def _check_overlaps(archive: zipfile.ZipFile, infos: Sequence[zipfile.ZipInfo]) -> None:
    """As in https://www.bamsoftware.com/hacks/zipbomb/, where many entries share their bytes."""
    spans = sorted((info.header_offset, _end(info)) for info in infos)
    spans.append((archive.start_dir, archive.start_dir))
    if any(end > start for (_, end), (start, _) in pairwise(spans)):
        raise UnsafeArchiveError("entries overlap")


def _end(info: zipfile.ZipInfo) -> int:
    # At the least: what else the entry's own header has makes it longer.
    return info.header_offset + _LOCAL_HEADER + info.compress_size
