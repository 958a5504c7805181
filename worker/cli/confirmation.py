"""Asking before a command changes what cannot be undone."""

import sys

import typer

from artifact_pipeline.worker.cli.output import note


def is_terminal() -> bool:
    """Return whether a person can be asked, and sees what the question is about."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def is_confirmed(question: str, *, dry_run: bool, otherwise: str) -> bool:
    """Ask on a terminal.

    Args:
        question: what would be changed.
        dry_run: do not ask.
        otherwise: the line for a dry run, and where there is no terminal.
    """
    if dry_run or not is_terminal():
        note(otherwise)
        return False
    return confirm(question)


def confirm(question: str) -> bool:
    """Ask, with no as the default; the answer of the command can go to a file."""
    return typer.confirm(question, default=False, err=True)
