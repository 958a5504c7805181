"""Ids as arguments: each command that takes --job-id takes it without the option's name too."""

import pytest

from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from tests.cli.commands import Answer, Command
from tests.cli.tree import commands

_FILTERS = {"batch preview", "transfers list"}  # one filter of many, which takes ranges
_NEEDED = {
    "jobs results upload": ("--run-id", "4", "--results-dir", "."),
    "jobs uploads cat": ("--kind", "job_config"),
    "jobs uploads url": ("--kind", "job_config"),
    "jobs uploads restore": ("--days", "7"),
    "jobs hold set": ("--reason", "case 7"),
    "jobs hold release": ("--reason", "case 7 is over"),
}
"""What a command needs beside the job."""


def of_a_job() -> list[str]:
    return [
        path
        for path, command in commands()
        if path not in _FILTERS and any("--job-id" in each.opts for each in command.params)
    ]


@pytest.mark.parametrize("path", of_a_job())
def test_a_command_of_a_job_takes_its_id_as_an_argument(artifacts: Command, path: str) -> None:
    assert "[JOB_ID]" in artifacts(*path.split(), "--help").out


def answers(artifacts: Command, line: str, *options: str) -> list[Answer]:
    """Of the id as an argument, as an option, and as both."""
    words = line.split()
    return [
        artifacts(*words, "12", *options),
        artifacts(*words, "--job-id", "12", *options),
        artifacts(*words, "12", "--job-id", "12", *options),
    ]


@pytest.mark.parametrize("line", ["jobs info", "jobs status", "jobs cancel", "quarantine list"])
def test_the_answer_is_the_same(artifacts: Command, transfers: SqlTransfers, line: str) -> None:
    del transfers
    first, *others = answers(artifacts, line, "--json")
    assert first.status == 0
    assert others == [first, first]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("path", of_a_job())
def test_two_different_ids_are_refused(artifacts: Command, path: str) -> None:
    answer = artifacts(*path.split(), "12", "--job-id", "13", *_NEEDED.get(path, ()))
    assert "JOB_ID is 12 and --job-id is 13: give only one of them" in answer.refusal
