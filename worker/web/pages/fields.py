"""Fields of the forms with criteria."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Choice:
    """A field with some values to choose from."""

    name: str
    label: str
    options: Sequence[str]


@dataclass(frozen=True, slots=True)
class TextField:
    """A field for a text."""

    name: str
    label: str
    example: str
