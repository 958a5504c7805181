"""The abilities that a store may lack compared with AWS S3, and what replaces each."""

from dataclasses import dataclass
from enum import StrEnum

from artifact_pipeline.domain.model import checksums

CRC32C_PACKAGE = "google-crc32c"
CRC32C_LIBRARY = "google_crc32c"


class Checksum(StrEnum):
    """What proves that the store has the bytes that were sent."""

    SHA256 = "sha256"
    """The store compares the SHA-256 of each PUT and part."""
    CRC32C = "crc32c"
    """The store compares the CRC32C of each PUT and part."""
    MD5 = "md5"
    """The store compares the Content-MD5 of each PUT and part."""
    READ_BACK = "read-back"
    """The object is read after the write, and its SHA-256 is compared."""


class Copies(StrEnum):
    """Who copies the bytes of an object."""

    STORE = "store"
    """The store itself, by UploadPartCopy."""
    WORKER = "worker"
    """The worker reads the object and uploads it."""


class Deletes(StrEnum):
    """How objects are deleted."""

    CHECKSUM = "checksum"
    """By DeleteObjects with a SHA-256."""
    MD5 = "md5"
    """By DeleteObjects with a Content-MD5."""
    SINGLE = "single"
    """By one DeleteObject for each key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreAbilities:
    """What the store can do; by default all that AWS S3 can.

    Attributes:
        conditional_writes: whether writes may name the object that they replace. Without it the
            key is looked at before and after each write, which leaves a gap: docs/reliability.md.
        multipart_etags: whether the ETag of a multipart object is made of its parts' MD5s. On some
            stores it only looks like that.
    """

    conditional_writes: bool = True
    checksum: Checksum = Checksum.SHA256
    copies: Copies = Copies.STORE
    deletes: Deletes = Deletes.CHECKSUM
    multipart_etags: bool = True

    @property
    def checks_uploads(self) -> bool:
        """Whether the store compares what it gets with a checksum."""
        return self.checksum is not Checksum.READ_BACK

    @property
    def checks_sha256(self) -> bool:
        """Whether an object that was written with a SHA-256 in its metadata has these bytes.

        The weaker checksums are followed by a look at the bytes, which an attempt may not live to.
        """
        return self.checksum is Checksum.SHA256

    def is_digest(self, checksum: checksums.Checksum) -> bool:
        """Return whether what the store says is a digest of the bytes."""
        if checksum.algorithm != "MD5":  # the ETag
            return True
        return self.checks_uploads and (self.multipart_etags or not checksum.parts)


AWS = StoreAbilities()
