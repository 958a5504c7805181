"""Paths that options take.

An empty one is refused. `--data "$DIRECTORY"` of a variable that is not set would be the directory
in which the command runs.
"""

from pathlib import Path

import typer


def parse_file(text: str) -> Path:
    """Return the path of a file, which may not be there yet."""
    path = _given(text)
    if path.is_dir():
        raise typer.BadParameter(f"{text!r} is a directory")
    return path


def parse_directory(text: str) -> Path:
    """Return the path of a directory, which may not be there yet."""
    path = _given(text)
    if path.exists() and not path.is_dir():
        raise typer.BadParameter(f"{text!r} is not a directory")
    return path


def parse_existing_directory(text: str) -> Path:
    """Return the path of a directory that is there."""
    path = parse_directory(text)
    if not path.exists():
        raise typer.BadParameter(f"{text!r} does not exist")
    return path


def _given(text: str) -> Path:
    if not text:
        raise typer.BadParameter("the path is empty; leave the option out for its default")
    return Path(text)
