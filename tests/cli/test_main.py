"""The root of the command line, which imports no more than what is asked for."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from artifact_pipeline.worker.cli.jobs import commands as jobs
from artifact_pipeline.worker.cli.jobs.uploads import commands as uploads
from artifact_pipeline.worker.cli.lazy import LazyCommand
from artifact_pipeline.worker.cli.main import COMMANDS, main
from tests.cli.commands import Command, bare_environment

pytestmark = pytest.mark.processes

HEAVY = {"alembic", "boto3", "botocore", "celery", "kombu", "psycopg", "redis", "sqlalchemy"}


def modules_of(*arguments: str, status: int = 0, **settings: str) -> set[str]:
    """Return the modules that the installed command imports. `status` is its exit status."""
    command = str(Path(sys.executable).with_name("artifacts"))
    ended = subprocess.run(
        [sys.executable, "-X", "importtime", command, *arguments],
        env={**bare_environment(), **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == status, ended.stderr
    return {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}


def imported_by(*arguments: str, **settings: str) -> set[str]:
    """Return the top-level packages that the installed command imports."""
    return {name.split(".")[0] for name in modules_of(*arguments, status=0, **settings)}


def test_a_look_at_a_file_imports_no_library_of_a_server(tmp_path: Path) -> None:
    # Given
    file = tmp_path / "alive"
    file.touch()
    # When
    imported = imported_by("health", "live", ARTIFACTS_LIVENESS_FILE=str(file))
    # Then
    assert "typer" in imported
    assert imported & HEAVY == set()


def test_the_help_of_all_shows_all(artifacts: Command) -> None:
    # When
    answer = artifacts("--help")
    # Then
    shown = {line.split()[0] for line in answer.out.splitlines() if line.startswith("  ")}
    assert shown >= set(COMMANDS)


@pytest.mark.parametrize(
    "arguments",
    [
        "--help",
        "db upgrade --help",
        "demo --help",
        "dev --help",
        "doctor --help",
        "health live --help",
        "jobs --help",
        "jobs list --help",
        "jobs upload --help",
        "jobs results upload --help",
        "jobs uploads list --help",
        "jobs uploads download --help",
        "jobs uploads relocate --help",
        "jobs uploads archive --help",
        "jobs uploads cat --help",
        "jobs uploads url --help",
        "jobs uploads verify --help",
        "metrics --help",
        "quarantine retry --help",
        "status --help",
    ],
)
def test_help_imports_nothing_to_work_with(arguments: str) -> None:
    assert imported_by(*arguments.split()) & (HEAVY | {"pydantic", "rich"}) == set()


@pytest.mark.parametrize("arguments", ["--help", "batch preview --help", "batch report --help"])
def test_help_of_batches_imports_no_library_of_a_server(arguments: str) -> None:
    assert imported_by(*arguments.split()) & (HEAVY | {"rich"}) == set()


def test_completion_imports_no_library_of_a_server() -> None:
    completing = {
        "_ARTIFACTS_COMPLETE": "complete_bash",
        "COMP_WORDS": "artifacts jobs uploads list --",
        "COMP_CWORD": "4",
    }
    assert imported_by(**completing) & HEAVY == set()


@pytest.mark.parametrize(
    "arguments",
    [
        *("jobs list --json", "jobs status 12", "jobs info 12 --json", "transfers list --json"),
        *("quarantine list", "batch list", "health ready --only database"),
    ],
)
@pytest.mark.usefixtures("database")
def test_a_look_into_sql_imports_neither_celery_nor_s3(arguments: str, sqlite_url: str) -> None:
    # When
    modules = modules_of(
        *arguments.split(),
        ARTIFACTS_DATABASE_URL=sqlite_url,
        ARTIFACTS_BROKER_URL="redis://127.0.0.1:1/0",
    )
    # Then
    imported = {name.split(".")[0] for name in modules}
    assert "sqlalchemy" in imported
    assert imported & {"alembic", "boto3", "botocore", "celery", "kombu", "redis", "rich"} == set()
    assert len(modules) < 620


@pytest.mark.usefixtures("database")
def test_a_look_at_a_job_does_not_import_what_changes_many_transfers(sqlite_url: str) -> None:
    # When
    modules = modules_of("jobs", "status", "12", ARTIFACTS_DATABASE_URL=sqlite_url)
    # Then
    ours = {name.removeprefix("artifact_pipeline.") for name in modules}
    assert "worker.sql.transfers.repository" in ours
    unwanted = {"quarantine", "page_claims", "page_records", "upload_pages"}
    assert ours & {f"worker.sql.transfers.{name}" for name in unwanted} == set()
    assert "domain.model.batches" not in ours


@pytest.mark.parametrize(
    ("part", "wanted", "unwanted"),
    [
        ("broker", "kombu", {"alembic", "boto3", "botocore", "rich", "sqlalchemy"}),
        ("bucket", "botocore", {"alembic", "celery", "kombu", "redis", "rich", "sqlalchemy"}),
        ("workspace", "sqlalchemy", {"alembic", "boto3", "botocore", "celery", "kombu", "rich"}),
    ],
)
def test_a_probe_imports_what_it_probes_alone(
    part: str, wanted: str, unwanted: set[str], sqlite_url: str, tmp_path: Path
) -> None:
    # Given nothing that answers
    settings = {
        "ARTIFACTS_DATABASE_URL": sqlite_url,
        "ARTIFACTS_BROKER_URL": "redis://127.0.0.1:1/0",
        "ARTIFACTS_BUCKET": "artifacts",
        "ARTIFACTS_S3_ENDPOINT_URL": "http://127.0.0.1:1",
        "ARTIFACTS_WORKSPACE": str(tmp_path),
    }
    # When
    modules = modules_of("health", "ready", "--only", part, status=1, **settings)
    # Then
    imported = {name.split(".")[0] for name in modules}
    assert wanted in imported
    assert imported & unwanted == set()


def test_help_imports_few_modules() -> None:
    assert len(modules_of("--help")) < 200


def test_a_command_does_not_look_for_garbage_in_what_it_imports(
    sqlite_url: str, tmp_path: Path
) -> None:
    # Given
    script = tmp_path / "counting.py"
    script.write_text(_COUNTING_COLLECTIONS)
    settings = {**bare_environment(), "ARTIFACTS_DATABASE_URL": sqlite_url}
    # When
    ended = subprocess.run(
        [sys.executable, str(script), "jobs", "list"],
        env=settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    # Then it hardly does, where Python would some two hundred times
    assert int(ended.stdout.splitlines()[-1]) < 10


_COUNTING_COLLECTIONS = """
import atexit, gc
begun = sum(each["collections"] for each in gc.get_stats())
atexit.register(lambda: print(sum(each["collections"] for each in gc.get_stats()) - begun))
from artifact_pipeline.worker.cli.main import main
main()
"""


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
