"""Functions of the C library that Python lacks."""

import ctypes
import os
from collections.abc import Callable, Collection


def c_function(name: str, *argument_types: type) -> Callable[..., int] | None:
    """Return the function, whose failures `raise_failure` tells; None where it is missing.

    Args:
        name: in the C library.
        argument_types: of ctypes, where Python's values do not show them.
    """
    function = getattr(ctypes.CDLL(None, use_errno=True), name, None)
    if function is not None and argument_types:
        function.argtypes = argument_types
    return function


def raise_failure(but_for: Collection[int]) -> None:
    """Raise the error of this thread's last call that failed, unless its number is one of these.

    Raises: OSError.
    """
    number = ctypes.get_errno()
    if number not in but_for:
        raise OSError(number, os.strerror(number))
