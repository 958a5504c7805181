"""Server-side encryption: what writes ask for, and what an object has."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_S3_MANAGED = "AES256"
_CHOSEN, _SIGNED = "ARTIFACTS_SSE", "ARTIFACTS_URL_SIGNS_ENCRYPTION"


@dataclass(frozen=True, slots=True)
class Encryption:
    """An algorithm of server-side encryption, and a key of KMS.

    Attributes:
        algorithm: None asks for nothing: the bucket's default encrypts.
        kms_key_id: None is the key that the bucket or the account has for the algorithm.
        setting: the name of the setting that asks for it.
    """

    algorithm: str | None = None
    kms_key_id: str | None = None
    setting: str = field(default=_CHOSEN, compare=False)

    def arguments(self) -> dict[str, str]:
        """Return the arguments of a write."""
        arguments = {"ServerSideEncryption": self.algorithm, "SSEKMSKeyId": self.kms_key_id}
        return {name: value for name, value in arguments.items() if value is not None}

    def with_signing(self, *, is_signed: bool) -> "Encryption":
        """Return what writes ask for if upload URLs sign it.

        Where none is chosen that is AES256, which was signed before nothing could be chosen.
        """
        is_chosen = self.algorithm is not None
        return Encryption(_S3_MANAGED, setting=_SIGNED) if is_signed and not is_chosen else self

    @property
    def remedy(self) -> str:
        """What to do where a store has no such encryption."""
        if self.setting == _CHOSEN:
            return f"set {_CHOSEN} to what the store has, or unset it"
        return f"unset {self.setting}, or set {_CHOSEN} to what the store has"

    @property
    def is_by_kms(self) -> bool:
        """Whether a key of KMS encrypts."""
        return self.algorithm is not None and self.algorithm != _S3_MANAGED

    def __str__(self) -> str:
        return " ".join(filter(None, [self.algorithm, self.kms_key_id])) or "no encryption"


def encryption_of(answer: Mapping[str, Any]) -> Encryption:
    """Return how an object is encrypted, as S3's answer to a HEAD, a GET or a write says."""
    return Encryption(answer.get("ServerSideEncryption"), answer.get("SSEKMSKeyId"))


def has_md5_etag(answer: Mapping[str, Any]) -> bool:
    """Return whether the ETag in S3's answer is made of MD5s, as its encryption says.

    With a key of KMS or of the client an ETag looks like an MD5, and is none.
    """
    by_client = "SSECustomerAlgorithm" in answer
    return not by_client and encryption_of(answer).algorithm in {None, _S3_MANAGED}
