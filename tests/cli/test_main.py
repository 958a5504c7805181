"""The root of the command line: help, completion and wrong usage."""

import sys
from importlib.metadata import version

import pytest

from artifact_pipeline.worker.cli.jobs import commands as jobs
from artifact_pipeline.worker.cli.jobs.uploads import commands as uploads
from artifact_pipeline.worker.cli.lazy import LazyCommand
from artifact_pipeline.worker.cli.main import COMMANDS, main
from tests.cli.commands import Command

pytestmark = pytest.mark.processes


def test_the_help_of_all_shows_all(artifacts: Command) -> None:
    # When
    answer = artifacts("--help")
    # Then
    shown = {line.split()[0] for line in answer.out.splitlines() if line.startswith("  ")}
    assert shown >= set(COMMANDS)


@pytest.mark.parametrize(
    ("path", "name", "table"),
    [
        (path, name, table)
        for path, table in (
            ("", COMMANDS),
            ("jobs", jobs.GROUPS),
            ("jobs uploads", uploads.COMMANDS),
        )
        for name in table
    ],
)
def test_a_help_line_is_the_summary_of_the_command_itself(
    artifacts: Command, path: str, name: str, table: dict[str, tuple[str, str]]
) -> None:
    # Given
    module, line = table[name]
    # When
    answer = artifacts(*path.split(), name, "--help")
    # Then
    assert answer.status == 0
    assert f"Usage: {' '.join(['artifacts', *path.split(), name])} " in answer.out
    help_text = LazyCommand(name, module, line).load().help
    assert line == " ".join(help_text.partition("\n\n")[0].split())


@pytest.mark.parametrize("arguments", ["", "jobs", "jobs uploads list", "batch start", "doctor"])
def test_help_has_a_short_option_everywhere(artifacts: Command, arguments: str) -> None:
    words = arguments.split()
    assert artifacts(*words, "-h") == artifacts(*words, "--help")
    assert artifacts(*words, "-h").out.startswith("Usage: artifacts")


@pytest.mark.parametrize("program", ["/venv/pytest/__main__.py", "-c", "/venv/bin/artifacts3"])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_one_name_whatever_file_starts_it(
    name: str, program: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # As under `python -m pytest`, where Click would find another name for the program
    monkeypatch.setattr(sys, "argv", [program, name, "--help"])
    with pytest.raises(SystemExit, match="0"):
        main()
    assert f"Usage: artifacts {name} " in capsys.readouterr().out


def test_the_version_is_the_distributions(artifacts: Command) -> None:
    assert artifacts("--version").out == f"artifacts {version('artifact-pipeline')}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_is_shown_for_each_shell(artifacts_process: Command, shell: str) -> None:
    # Else the shell that is shown for is the one in which the tests happen to run.
    named = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    answer = artifacts_process("--show-completion", shell, **named)
    assert answer.status == 0
    assert f"_ARTIFACTS_COMPLETE=complete_{shell}" in answer.out


@pytest.mark.parametrize(
    ("words", "position", "completed"),
    [
        ("artifacts jo", "1", {"jobs"}),
        ("artifacts jobs up", "2", {"upload", "uploads"}),
        ("artifacts jobs uploads li", "3", {"list"}),
        ("artifacts jobs list --wi", "3", {"--wide"}),
        ("artifacts jobs status --kind run_l", "4", set()),
        ("artifacts jobs upload --kind run_l", "4", {"run_logs"}),
    ],
)
def test_the_shell_completes(
    artifacts_process: Command, words: str, position: str, completed: set[str]
) -> None:
    answer = artifacts_process(
        _ARTIFACTS_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=position
    )
    assert (answer.status, set(answer.out.split())) == (0, completed)


@pytest.mark.parametrize(
    ("arguments", "line", "of"),
    [
        ("helth", "No such command 'helth'. Did you mean 'health'?", "artifacts"),
        ("jobs lst", "No such command 'lst'. Did you mean 'list'?", "artifacts jobs"),
        ("jobs list --limt 3", "No such option: --limt", "artifacts jobs list"),
        ("jobs info", "the job's id is missing: give JOB_ID, such as 12", "artifacts jobs info"),
        ("jobs info twelve", "for 'JOB_ID': 'twelve' is not a whole number", "artifacts jobs info"),
        ("jobs info 12 --job-id 13", "JOB_ID is 12 and --job-id is 13", "artifacts jobs info"),
        ("batch start 1", "Missing option '--reason'", "artifacts batch start"),
        (
            "quarantine retry 12 --job-id 13",
            "JOB_ID is 12 and --job-id is 13",
            "artifacts quarantine retry",
        ),
        ("jobs info 0", "'JOB_ID': 0 is less than 1, the smallest", "artifacts jobs info"),
        ("jobs list --limit 1.5", "'--limit': '1.5' is not a whole number", "artifacts jobs list"),
        ("jobs list --limit 2000", "2000 is more than 1000, the largest", "artifacts jobs list"),
        ("jobs upload 1 --wait --timeout x", "'x' is not a number", "artifacts jobs upload"),
        ("jobs upload 1 --wait --timeout nan", "'--timeout': ", "artifacts jobs upload"),
        ("transfers list --state x", "'--state': 'x' is not one of", "artifacts transfers list"),
    ],
)
def test_wrong_usage_is_a_line_and_a_hint(
    artifacts: Command, arguments: str, line: str, of: str
) -> None:
    # When
    answer = artifacts(*arguments.split())
    # Then
    told, hint = answer.err.splitlines()
    assert (answer.status, answer.out) == (2, "")
    assert told.startswith(f"{of}: ")
    assert line in told
    assert hint == f"Try '{of} --help' for help."
