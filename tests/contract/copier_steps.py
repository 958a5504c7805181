"""A copier with what is behind it, and copies by it."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pytest

from artifact_pipeline.domain.model.artifacts import StoredObject
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.domain.model.preconditions import replacing
from artifact_pipeline.domain.ports.object_store import IObjectCopier, IObjectReader, UploadProgress
from tests.s3.steps import CONTENT_TYPE, KEY, METADATA, MIB, Progress, random_bytes

OLD_KEY = "results/job 12/run_4 (final)+100%?.zip"
SMALL = random_bytes(1000)
LARGE = random_bytes(12 * MIB + 1)
"""Three parts where there are parts: S3 takes none below 5 MiB but the last."""
each_size = pytest.mark.parametrize("content", [SMALL, LARGE, b""], ids=["small", "large", "none"])


def copy(  # noqa: PLR0913 - the arguments of the port
    copier: IObjectCopier,
    source: BucketObject,
    key: str = KEY,
    *,
    replaces: str | None = None,
    tier_name: str = "",
    progress: UploadProgress | None = None,
) -> StoredObject:
    return copier.copy(
        source,
        key,
        content_type=CONTENT_TYPE,
        metadata=METADATA,
        precondition=replacing(replaces),
        tier_name=tier_name,
        progress=progress or Progress(),
    )


@dataclass(frozen=True)
class Adapter:
    """A copier, and a hand in what is behind it.

    Attributes:
        sends: whether the bytes of a copy are sent by the client.
        knows_sha256: whether the SHA-256 of an object is known without reading it.
    """

    copier: IObjectCopier
    reader: IObjectReader
    put: Callable[[ObjectAddress, bytes], object]
    body: Callable[[str], bytes | None]
    described: Callable[[str], tuple[str, dict[str, str]]]
    other_bucket: str
    put_with: Callable[[ObjectAddress, bytes, dict[str, Any]], object]
    headers: Callable[[str], dict[str, Any]]
    sends: bool = False
    knows_sha256: bool = True

    def address(self, key: str = OLD_KEY) -> ObjectAddress:
        return ObjectAddress(self.reader.bucket, key)

    def known_sha256(self, content: bytes) -> str | None:
        return sha256(content).hexdigest() if self.knows_sha256 else None

    def stored(self, content: bytes, address: ObjectAddress | None = None) -> BucketObject:
        address = address or self.address()
        self.put(address, content)
        return self.found(address)

    def found(self, address: ObjectAddress) -> BucketObject:
        found = self.reader.find(address)
        assert found is not None
        return found
