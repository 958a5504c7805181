"""What the processes that a worker has forked have done, in memory that they share."""

import mmap
import struct
from hashlib import blake2b

from artifact_pipeline.domain.model.artifacts import Artifact

_SLOTS = 4_096
_DIGEST = 16
_COUNT = struct.Struct("Q")


class SharedDoneUploads:
    """The last uploads, as `DoneUploads`. Make it before the first fork.

    The main process drops messages of uploads that are done, but not those that it had handed to a
    process before.

    All of it is a hint, so nothing is locked: of two uploads that are noted at once, one may be
    forgotten.
    """

    def __init__(self) -> None:
        self._digests = mmap.mmap(-1, _SLOTS * _DIGEST)
        self._count = mmap.mmap(-1, _COUNT.size)

    def note(self, request_id: str, artifact: Artifact) -> None:
        [count] = _COUNT.unpack_from(self._count)
        start = count % _SLOTS * _DIGEST
        self._digests[start : start + _DIGEST] = _digest(request_id, artifact)
        _COUNT.pack_into(self._count, 0, count + 1)

    def has(self, request_id: str, artifact: Artifact) -> bool:
        return self._digests.find(_digest(request_id, artifact), 0) >= 0


def _digest(request_id: str, artifact: Artifact) -> bytes:
    return blake2b(repr((request_id, artifact)).encode(), digest_size=_DIGEST).digest()
