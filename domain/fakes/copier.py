"""Copying and deleting what is in the bucket, in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from artifact_pipeline.domain.errors import ArchivedError, ObjectReplacedError
from artifact_pipeline.domain.fakes.objects import InMemoryReader
from artifact_pipeline.domain.fakes.storage import stored_object
from artifact_pipeline.domain.model.artifacts import StoredObject
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.domain.model.preconditions import Precondition
from artifact_pipeline.domain.ports.object_store import UploadProgress


@dataclass(slots=True)
class InMemoryCopier:
    """Copies what a reader finds to the store that it reads.

    Attributes:
        copies: where each copy came from, and its key, failures included.
        failures: what the next copies raise, one each, before they copy anything.
        refused: what cannot be deleted, with the store's code.
    """

    reader: InMemoryReader
    copies: list[tuple[ObjectAddress, str]] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    refused: dict[ObjectAddress, str] = field(default_factory=dict)
    archive_tier: str = "ARCHIVE"

    def copy(  # noqa: PLR0913 - as the port has it
        self,
        existing: BucketObject,
        key: str,
        *,
        content_type: str,
        metadata: dict[str, str],
        precondition: Precondition,
        tier_name: str,
        progress: UploadProgress,
    ) -> StoredObject:
        self.copies.append((existing.address, key))
        if self.failures:
            raise self.failures.pop(0)
        content = self._content(existing)
        progress.checkpoint()
        store, address = self.reader.store, ObjectAddress(self.reader.bucket, key)
        found = self.reader.find(address)
        is_same = store.objects.get(key) == content
        if is_same and found is not None and tier_name in {"", found.tier_name}:
            return stored_object(key, content, found.tier_name)
        if not precondition.allows(store.version(key)):
            raise ObjectReplacedError
        source = self._found(existing)
        store.objects[key] = content
        store.metadata[key] = {**(source.metadata or {}), **metadata}
        store.content_types[key] = self._type_of(existing.address) or content_type
        store.headers[key] = dict(source.headers or {})
        self.reader.tier_names[address] = tier_name or "STANDARD"
        return stored_object(key, content, tier_name or "STANDARD")

    def delete(self, addresses: Sequence[ObjectAddress]) -> dict[ObjectAddress, str]:
        for address in addresses:
            if address not in self.refused:
                self.reader.elsewhere.pop(address, None)
                if address.bucket == self.reader.bucket:
                    self.reader.store.objects.pop(address.key, None)
        return {address: self.refused[address] for address in addresses if address in self.refused}

    def _found(self, existing: BucketObject) -> BucketObject:
        found = self.reader.find(existing.address)
        if found is None or found.version != existing.version:
            raise ObjectReplacedError
        return found

    def _type_of(self, address: ObjectAddress) -> str | None:
        is_here = address.bucket == self.reader.bucket
        return self.reader.store.content_types.get(address.key) if is_here else None

    def _content(self, existing: BucketObject) -> bytes:
        found = self._found(existing)
        if found.tier.must_be_restored:
            raise ArchivedError
        if existing.address.bucket == self.reader.bucket:
            return self.reader.store.objects[existing.address.key]
        return self.reader.elsewhere[existing.address]
