"""Functions of the C library that fail."""

import ctypes
from collections.abc import Callable


def failing_with(number: int) -> Callable[..., int]:
    """Return a function that answers any arguments with an error. Args: its `number`."""

    def fail(*_: object) -> int:
        ctypes.set_errno(number)
        return -1

    return fail
