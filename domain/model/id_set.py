"""A set of ids that takes a bit for each, in memory and when it is kept."""

import base64
import zlib
from collections.abc import Mapping
from typing import Self

_PER_CHUNK = 8192


class IdSet:
    """Ids of jobs. A million that lie close together take 125 kB."""

    def __init__(self) -> None:
        self._chunks: dict[int, bytearray] = {}

    def add(self, number: int) -> None:
        """Add an id."""
        chunk, bit = divmod(number, _PER_CHUNK)
        bits = self._chunks.get(chunk)
        if bits is None:
            bits = self._chunks[chunk] = bytearray(_PER_CHUNK // 8)
        bits[bit // 8] |= 1 << bit % 8

    def __contains__(self, number: int) -> bool:
        chunk, bit = divmod(number, _PER_CHUNK)
        bits = self._chunks.get(chunk)
        return bits is not None and bool(bits[bit // 8] & 1 << bit % 8)

    def dump(self) -> dict[str, str]:
        """Return it as JSON can keep it."""
        return {
            str(chunk): base64.b64encode(zlib.compress(bytes(bits))).decode()
            for chunk, bits in self._chunks.items()
        }

    @classmethod
    def load(cls, kept: Mapping[str, str]) -> Self:
        """Return what `dump` has made an object of."""
        made = cls()
        made._chunks = {
            int(chunk): bytearray(zlib.decompress(base64.b64decode(bits)))
            for chunk, bits in kept.items()
        }
        return made
