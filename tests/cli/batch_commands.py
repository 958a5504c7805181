"""Batches by the commands: a snapshot, and its start."""

from tests.cli.commands import Command

START = ("--reason", "a test")


def preview(artifacts: Command, *options: str) -> int:
    """The snapshot's id."""
    answer = artifacts("batch", "preview", "--json", *options)
    assert (answer.status, answer.err) == (0, "")
    snapshot: int = answer.json["snapshot"]
    return snapshot


def started(artifacts: Command, *options: str) -> int:
    snapshot = preview(artifacts)
    answer = artifacts("batch", "start", str(snapshot), *START, *options)
    assert (answer.status, answer.err) == (0, "")
    return snapshot
