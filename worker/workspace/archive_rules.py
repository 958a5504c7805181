"""What an archive must be to be unpacked: looked at before its first byte is."""

import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import IO, Any

from artifact_pipeline.domain.errors import UnsafeArchiveError
from artifact_pipeline.worker.workspace.entry_names import LONGEST_NAME, problem_with, shown
from artifact_pipeline.worker.workspace.stored_names import path_of, stored_name

UNFINISHED = ".extracting"
OLD = ".extracting-old"
OURS = {UNFINISHED, OLD}
"""Not RUN*, so that half of an archive is never taken for results."""

_MIB = 2**20
_LOCAL_HEADER = 30
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_UNIX = 3
_DRIVE = re.compile(r"[A-Za-z]:")
# Other methods may take gigabytes for their dictionary alone.
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
# `zipfile` raises these at a file that is no archive, or a broken one.
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

    A ratio is no sign of harm: deflate gives up to 1032 to 1, and columns of zeros come near it.

    Attributes:
        entries: files and directories, also those that only a path names.
        directory_bytes: of the archive's list of them, which is all in memory, several times over.
            As many entries as that need 96 MiB if each has 46 bytes and a name of 54.
        total_bytes: of what is written.
    """

    entries: int = 1_000_000
    directory_bytes: int = 96 * _MIB
    total_bytes: int = 2**40


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a zip that may be unpacked.

    Attributes: `name` is relative, and leads downwards only.
    """

    number: int
    info: zipfile.ZipInfo
    name: str

    @property
    def is_directory(self) -> bool:
        return self.name.endswith("/")

    @property
    def mode(self) -> int:
        """The permissions of the unpacked file; only the executable bit comes from the zip."""
        is_executable = (self.info.external_attr >> 16) & stat.S_IXUSR
        return 0o755 if self.info.create_system == _UNIX and is_executable else 0o644

    @property
    def parts(self) -> tuple[str, ...]:
        return tuple(self.name.removesuffix("/").split("/"))


def check_directory(file: IO[bytes], limits: ExtractLimits) -> None:
    """Refuse a list of entries that is too large, before it is read."""
    # The only look at it before `zipfile` reads it whole.
    end: Any = zipfile._EndRecData(file)  # type: ignore[attr-defined]  # noqa: SLF001
    if end is None:
        raise UnsafeArchiveError("not a zip archive")
    if end[zipfile._ECD_SIZE] > limits.directory_bytes:  # type: ignore[attr-defined]  # noqa: SLF001
        raise UnsafeArchiveError(
            f"its list of entries is larger than the limit of {limits.directory_bytes} bytes"
        )
    _check_count(end[zipfile._ECD_ENTRIES_TOTAL], limits)  # type: ignore[attr-defined]  # noqa: SLF001


def _check_count(entries: int, limits: ExtractLimits) -> None:
    if entries > limits.entries:
        raise UnsafeArchiveError(
            f"it has {entries} entries, and at most {limits.entries} are unpacked"
        )


def checked(
    archive: zipfile.ZipFile, limits: ExtractLimits, encoding: str | None = None
) -> list[Entry]:
    """Return the entries, once each is found harmless.

    Args:
        archive: the zip.
        limits: of what is unpacked.
        encoding: of names that do not name their encoding.

    Raises:
        UnsafeArchiveError: one is not; names the first.
    """
    infos = archive.infolist()
    _check_count(len(infos), limits)  # the record at the end may have said less
    found = (_checked_one(number, info, encoding) for number, info in enumerate(infos, start=1))
    entries = [entry for entry in found if entry is not None]
    _check_names(entries, limits)
    _check_overlaps(archive, infos)
    if sum(info.file_size for info in infos) > limits.total_bytes:
        raise UnsafeArchiveError(
            f"its files are larger than the limit of {limits.total_bytes} bytes"
        )
    return entries


def _checked_one(number: int, info: zipfile.ZipInfo, encoding: str | None) -> Entry | None:
    name = path_of(info, _stored_name(number, info, encoding))
    is_root = not name and info.orig_filename[-1:] in {"/", "\\"}
    wrong = _problem_of_type(info, is_directory=is_root or name.endswith("/"))
    if not is_root:
        wrong = _problem_of_entry_name(name) or wrong
    if wrong:
        raise UnsafeArchiveError(f"entry {number}: {wrong}: {shown(name)}")
    return None if is_root else Entry(number, info, name)


def _stored_name(number: int, info: zipfile.ZipInfo, encoding: str | None) -> str:
    try:
        return stored_name(info, encoding)
    except UnicodeDecodeError:
        said = f"entry {number}: its name is not {encoding}; give another encoding by --names"
        raise UnsafeArchiveError(f"{said}: {shown(info.orig_filename)}") from None


def _problem_of_entry_name(name: str) -> str | None:
    if name.startswith("/") or _DRIVE.match(name):
        return "the path is absolute, or of another system"
    return problem_with(name) or ("the name is reserved" if _is_ours(name) else None)


def _is_ours(name: str) -> bool:
    # Ignore the case: it may not count in the target's file system.
    return name.split("/", 1)[0].casefold() in OURS


def _problem_of_type(info: zipfile.ZipInfo, *, is_directory: bool) -> str | None:
    if info.flag_bits & _ENCRYPTED:
        return "it is encrypted"
    if info.compress_type not in _METHODS:
        return "it is compressed by an unknown method"
    kind = stat.S_IFMT(info.external_attr >> 16) if info.create_system == _UNIX else 0
    # A FIFO's entry has the bytes that came out of it, as with `… | zip x -`.
    allowed = {stat.S_IFDIR} if is_directory else {stat.S_IFREG, stat.S_IFIFO}
    if kind and kind not in allowed:
        return "it is a link or a special file"
    return None


def _check_names(entries: Sequence[Entry], limits: ExtractLimits) -> None:
    places = _Places(limits.entries)
    for entry in entries:
        wrong = places.problem_of_entry(entry)
        if wrong:
            raise UnsafeArchiveError(f"entry {entry.number}: {wrong}: {shown(entry.name)}")


class _Places:
    """The files and directories of the entries so far, by the number of the directory above.

    Args:
        most: how many there may be. One long name can make thousands of directories.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._numbers: dict[tuple[int, str], int] = {}
        self._files: set[int] = set()

    def problem_of_entry(self, entry: Entry) -> str | None:
        """Return why there is no place for an entry, or None once it has one."""
        place, is_new = 0, False
        for part in entry.parts:
            if place in self._files:
                return "another entry has its name"
            known = len(self._numbers)
            place = self._numbers.setdefault((place, part), known + 1)
            is_new = place > known
        if place in self._files or not (is_new or entry.is_directory):
            return "another entry has its name"
        if not entry.is_directory:
            self._files.add(place)
        if len(self._numbers) > self._most:
            return f"more than {self._most} files and directories"
        return None


def _check_overlaps(archive: zipfile.ZipFile, infos: Sequence[zipfile.ZipInfo]) -> None:
    """Refuse entries that share bytes, as in https://www.bamsoftware.com/hacks/zipbomb/."""
    spans = sorted((info.header_offset, _end(info)) for info in infos)
    spans.append((archive.start_dir, archive.start_dir))
    if any(end > start for (_, end), (start, _) in pairwise(spans)):
        raise UnsafeArchiveError("its entries share bytes, as those of a zip bomb do")


def _end(info: zipfile.ZipInfo) -> int:
    # This is the least: the rest of the entry's own header makes it longer.
    return info.header_offset + _LOCAL_HEADER + info.compress_size


def ends_of(archive: zipfile.ZipFile) -> dict[int, int]:
    """Return where each entry's record ends at the latest, by where it begins.

    Only the record itself says how long its header is.
    """
    infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
    starts = [*(info.header_offset for info in infos), archive.start_dir]
    return {
        info.header_offset: min(following, _end(info) + 2 * LONGEST_NAME)
        for info, following in zip(infos, starts[1:], strict=True)
    }
