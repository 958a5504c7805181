"""The `transfers` table."""

from importlib import import_module


def __getattr__(name: str) -> object:
    # Imported from here before this was a package.
    if name == "SqlTransfers":
        return import_module(f"{__name__}.repository").SqlTransfers
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
