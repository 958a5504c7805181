"""The extra fields of a zip's entries, beside those that `zipfile` reads itself.

See 4.5 of https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT and the extrafld.txt of
Info-ZIP.
"""

import struct
from collections.abc import Iterator

UNICODE_PATH = 0x7075
_TIMESTAMP = 0x5455
_HEADER = struct.Struct("<HH")
_MTIME = struct.Struct("<Bi")
_HAS_MTIME = 1
_SECOND = 10**9
# Seconds in 32 bits; later times have no place in the field.
_LAST = 2**31 - 1


def fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the kind and the content of each field, up to one that is cut off."""
    while len(extra) >= _HEADER.size:
        kind, size = _HEADER.unpack_from(extra)
        extra = extra[_HEADER.size :]
        if len(extra) < size:
            return
        yield kind, extra[:size]
        extra = extra[size:]


def timestamp(mtime_ns: int) -> bytes:
    """Return the field of a time of modification, in whole seconds; empty if it cannot be one."""
    seconds = mtime_ns // _SECOND
    if not 0 <= seconds <= _LAST:
        return b""
    return _HEADER.pack(_TIMESTAMP, _MTIME.size) + _MTIME.pack(_HAS_MTIME, seconds)


def mtime_ns_of(extra: bytes) -> int | None:
    """Return the time of modification that an entry's fields have, if any."""
    for kind, content in fields(extra):
        if kind == _TIMESTAMP and len(content) >= _MTIME.size:
            flags, seconds = _MTIME.unpack_from(content)
            if flags & _HAS_MTIME:
                return int(seconds) * _SECOND
    return None
