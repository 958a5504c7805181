"""The name of a zip's entry: its bytes as text, and as a path of this system."""

import codecs
import struct
import zipfile
import zlib

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.worker.workspace.extra_fields import UNICODE_PATH, fields

_UTF8 = 0x800
_PATH_HEADER = struct.Struct("<BI")
# FAT, NTFS and VFAT, where a backslash cannot be part of a name.
_DOS_HOSTS = {0, 10, 14}
_PLAIN = "RUN1/out-2_a.csv"


def check_encoding(name: str) -> str:
    """Return the name of an encoding for entries' names.

    Raises:
        InvalidRequestError: it is unknown, or none that zips use.
    """
    try:
        is_usable = codecs.lookup(name) and _PLAIN.encode().decode(name) == _PLAIN
    except (LookupError, ValueError):
        is_usable = False
    if not is_usable:
        raise InvalidRequestError(
            f"{name!r} is not an encoding of file names. Examples: cp850, shift_jis, latin-1"
        )
    return name


def stored_name(info: zipfile.ZipInfo, encoding: str | None = None) -> str:
    """Return an entry's name as text.

    That is UTF-8 if the entry says so; else what Info-ZIP's field of the Unicode path has, if it
    belongs to the name; else the encoding that is given; else UTF-8 if it is valid, or cp437.

    Raises:
        UnicodeDecodeError: the name is not in the encoding that is given.
    """
    if info.flag_bits & _UTF8:
        return info.orig_filename
    # zipfile has decoded these, all of whose 256 characters can be encoded again.
    raw = info.orig_filename.encode("cp437")
    found = _unicode_path(info.extra, raw)
    if found is not None:
        return found
    if encoding is not None:
        return raw.decode(encoding)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return info.orig_filename


def path_of(info: zipfile.ZipInfo, name: str) -> str:
    """Return an entry's name as a path of this system; empty for the archive's own root."""
    if info.create_system in _DOS_HOSTS:
        name = name.replace("\\", "/")
    if name in {"/", "./"}:
        return ""
    parts = name.split("/")
    return "/".join(part for part in parts if part != ".")


def _unicode_path(extra: bytes, raw: bytes) -> str | None:
    """See 4.6.9 of https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT."""
    for kind, field in fields(extra):
        if kind == UNICODE_PATH and len(field) > _PATH_HEADER.size:
            version, crc = _PATH_HEADER.unpack_from(field)
            # If the CRC differs, a tool renamed the entry without knowing the field.
            if version == 1 and crc == zlib.crc32(raw):
                return field[_PATH_HEADER.size :].decode(errors="surrogateescape")
    return None
