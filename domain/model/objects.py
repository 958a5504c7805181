"""Objects as a bucket lists them, and what is done with existing ones."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from artifact_pipeline.domain.model.artifacts import Artifact, StoredObject
from artifact_pipeline.domain.model.checksums import Checksum
from artifact_pipeline.domain.model.restorations import Restoration


@dataclass(frozen=True, slots=True)
class Tier:
    """A tier of storage, with its price and its speed. A store has at least one.

    Attributes:
        name: as the store has it.
        is_archive: whether objects cost less and reading them more; an object in one is left there.
        must_be_restored: whether objects cannot be read before they are restored.
    """

    name: str
    is_archive: bool = False
    must_be_restored: bool = False


STANDARD = Tier("STANDARD")


@dataclass(frozen=True, slots=True)
class ObjectAddress:
    """The place of an object.

    Attributes: `bucket` is a name, or of a store of files the path of its root.
    """

    bucket: str
    key: str

    @property
    def url(self) -> str:
        """Return the address as people write it, which never has a signature."""
        if self.bucket.startswith("/"):
            return f"file://{quote(self.bucket)}/{quote(self.key)}"
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketObject:
    """An object that is in a bucket.

    Attributes:
        size: bytes.
        sha256: of the whole object, hexadecimal; None where the answer does not say.
        version: a token that changes with each write.
        modified_at: when it was put there.
        version_id: under which a store that keeps replaced objects keeps this one.
        checksums: what the store says of the bytes beside that, one for each algorithm; None if it
            was not asked.
        metadata: what its uploader left with it, by lower-case names; None where it was not asked.
        restoration: of an archived object, whether it was restored; None where it was not asked.
        headers: what a copy is given to keep everything else, in the adapter's own terms; None
            where it was not asked.
        as_recorded: the same with the digests of its row, if it may have those bytes although its
            version is another.
    """

    address: ObjectAddress
    size: int
    version: str
    modified_at: datetime
    tier: Tier = STANDARD
    version_id: str | None = None
    sha256: str | None = None
    checksums: tuple[Checksum, ...] | None = field(default=None, compare=False)
    metadata: Mapping[str, str] | None = field(default=None, compare=False)
    headers: Mapping[str, Any] | None = field(default=None, compare=False)
    restoration: Restoration | None = field(default=None, compare=False)
    as_recorded: "BucketObject | None" = field(default=None, compare=False)

    def is_marked_as(self, artifact: Artifact) -> bool:
        """Return whether the pipeline wrote it as this artifact; clients leave no metadata."""
        return artifact.metadata.items() <= (self.metadata or {}).items()

    def checksum(self, algorithm: str) -> Checksum | None:
        """Return the store's checksum by this algorithm, if it has said one."""
        said = (each for each in self.checksums or () if each.algorithm == algorithm)
        return next(said, None)

    def as_stored(self, sha256: str, checksum: Checksum | None) -> StoredObject:
        """Return it as a record has it, with the checksums of its bytes."""
        return StoredObject(
            key=self.address.key,
            size=self.size,
            sha256=sha256,
            version=self.version,
            checksum=checksum,
            version_id=self.version_id,
            tier_name=self.tier_name,
        )

    @property
    def is_archived(self) -> bool:
        return self.tier.is_archive

    @property
    def tier_name(self) -> str:
        return self.tier.name
