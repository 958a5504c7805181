"""Sizes in bytes, as settings and options have them: `16MiB`, `500kB` or `1048576`."""

from typing import Annotated

from pydantic import BeforeValidator, ByteSize, TypeAdapter, ValidationError

_SIZE = TypeAdapter(ByteSize)


def parse_size(text: object) -> int:
    """Return the bytes. Raises: ValueError."""
    try:
        return int(_SIZE.validate_python(text))
    except ValidationError:
        raise ValueError("use a number of bytes, such as 10MiB or 10485760") from None


Bytes = Annotated[int, BeforeValidator(parse_size)]
"""The type of a setting."""
