"""Checksums of an object, as a store or a record has them."""

from dataclasses import dataclass
from typing import Self

SHA256 = "SHA256"


@dataclass(frozen=True, slots=True)
class Checksum:
    """A checksum of an object's bytes.

    Attributes:
        algorithm: its name, such as `SHA256`.
        value: as the store writes it.
        parts: how many parts have checksums that this one was computed from; 0 if it was computed
            from the bytes themselves.
    """

    algorithm: str
    value: str
    parts: int = 0

    @classmethod
    def parse(cls, algorithm: str, text: str) -> Self:
        """Return the checksum that this text stands for: a value, or a value, `-` and a number."""
        value, _, number = text.rpartition("-")
        parts = int(number) if number.isdecimal() else 0
        of_parts = cls(algorithm, value, parts)
        # Keep any other text as a value, so that nothing of it is lost.
        return of_parts if parts and str(of_parts) == text else cls(algorithm, text)

    def __str__(self) -> str:
        return f"{self.value}-{self.parts}" if self.parts else self.value
