"""Telling whether other code, such as a tracer, has wrapped a function."""

from types import FunctionType
from typing import Any


def is_own(module: Any, function: object) -> bool:  # noqa: ANN401 - a module
    """Return whether the function is the module's own, and not a wrapper."""
    return type(function) is FunctionType and function.__globals__ is vars(module)
