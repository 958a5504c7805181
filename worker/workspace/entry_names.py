"""The names that a zip may have for its entries: one set of rules for packing and unpacking.

A name that is legal on a POSIX file system is kept unchanged, also with a backslash or a newline
in it. The file system of the target decides about the length of a single part.
"""

LONGEST_NAME = 0xFFFF
"""Bytes; a zip stores the length of a name in two bytes."""

MOST_DIRECTORIES = 1000
"""Within one another. Deeper trees are mistakes, and cost quadratic time."""

_SHOWN = 160


def problem_with(name: str) -> str | None:
    """Return why a path cannot be an entry's name, or None.

    Args:
        name: its parts with slashes between them; one at the end is a directory's.
    """
    if not name or "\0" in name:
        return "the name is empty or has a NUL in it"
    try:
        length = len(name.encode())
    except UnicodeEncodeError:
        return "a file name is not UTF-8"
    parts = name.removesuffix("/").split("/")
    if any(part in {"", ".", ".."} for part in parts):
        return "the path leads elsewhere"
    if length > LONGEST_NAME:
        return f"the path is too long for a zip, which holds {LONGEST_NAME} bytes"
    if len(parts) > MOST_DIRECTORIES:
        return f"the path is too deep, at most {MOST_DIRECTORIES} directories are allowed"
    return None


def printable(name: str) -> str:
    """Return a name without anything that a terminal would act on."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def shown(name: str) -> str:
    """Return a name for an error: in quotes, printable and short."""
    line = printable(name)
    if len(line) > _SHOWN:
        line = f"{line[: _SHOWN // 2]}...{line[-_SHOWN // 2 :]}"
    return f"'{line}'"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
