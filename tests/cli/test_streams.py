"""Commands on awkward terminals and devices: each failure is one line, and never a traceback."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import psutil
import pytest
from sqlalchemy import Engine

from artifact_pipeline.worker.cli.streams import _ASCII
from tests.cli.commands import bare_environment
from tests.forked_commands import forked_artifacts
from tests.sql.batch_steps import History

pytestmark = pytest.mark.processes

COMMAND = str(Path(sys.executable).with_name("artifacts"))
PROGRAM = Path(__file__).parents[2]
PRINTING = [
    ("--help",),
    ("jobs", "list"),
    ("jobs", "info", "12", "--json"),
    ("quarantine", "list"),
]


@pytest.fixture
def environment(database: Engine, sqlite_url: str) -> dict[str, str]:
    del database
    return {**bare_environment(), "ARTIFACTS_DATABASE_URL": sqlite_url}


@pytest.fixture(scope="module")
def forked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A command that does not look for itself how its streams are encoded."""
    with forked_artifacts(tmp_path_factory.mktemp("f")) as program:
        yield str(program)


def run(
    arguments: tuple[str, ...],
    environment: dict[str, str],
    out: IO[bytes] | int = subprocess.PIPE,
    command: str = COMMAND,
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [command, *arguments],
        env=environment,
        stdout=out,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )


def shell(
    line: str, environment: dict[str, str], command: str = COMMAND
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["bash", "-c", line.replace("artifacts", command)],  # noqa: S607 - bash from the PATH
        env=environment,
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_a_full_device_is_one_line(
    environment: dict[str, str], forked: str, arguments: tuple[str, ...], encoding: str
) -> None:
    environment["PYTHONIOENCODING"] = encoding
    with Path("/dev/full").open("wb") as full:
        command = COMMAND if encoding == "ascii" else forked
        ended = run(arguments, environment, out=full, command=command)
    assert ended.returncode == 1
    said = b"artifacts: the output could not be written: No space left on device\n"
    assert ended.stderr == said


def test_a_full_device_is_noticed_without_a_buffer(environment: dict[str, str]) -> None:
    with Path("/dev/full").open("wb") as full:
        ended = run(("jobs", "list"), {**environment, "PYTHONUNBUFFERED": "1"}, out=full)
    assert (ended.returncode, ended.stderr.count(b"\n")) == (1, 1)


@pytest.mark.parametrize(
    "writing",
    ["sys.stdout.buffer.write(bytes(5_000))", "print('x' * 5_000)", "print('x' * 5_000, end='')"],
)
def test_a_write_that_is_cut_short_without_a_buffer_is_an_error(
    tmp_path: Path, writing: str
) -> None:
    # Given a file that takes 1,000 bytes, as a device takes no more than it has room for
    program = (
        "import resource, sys\n"
        "from artifact_pipeline.worker.cli.streams import prepare_streams\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, 1_000))\n"
        f"prepare_streams()\n{writing}\n"
    )
    # When
    with (tmp_path / "output").open("wb") as output:
        ended = subprocess.run(
            # -B: else a .pyc file could be cut short as well.
            [sys.executable, "-B", "-c", program],
            env={**bare_environment(), "PYTHONUNBUFFERED": "1"},
            stdout=output,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    # Then
    assert (tmp_path / "output").stat().st_size == 1_000
    assert ended.returncode != 0
    assert b"File too large" in ended.stderr


@pytest.mark.parametrize("arguments", PRINTING[:2], ids=" ".join)
def test_a_closed_output_is_one_line(
    environment: dict[str, str], arguments: tuple[str, ...]
) -> None:
    ended = shell(f"artifacts {' '.join(arguments)} >&-", environment)
    assert ended.returncode == 1
    assert ended.stderr == b"artifacts: the output could not be written: Bad file descriptor\n"


def test_nothing_is_written_into_a_file_that_took_the_number_of_a_closed_stream(
    environment: dict[str, str], sqlite_url: str
) -> None:
    # Given
    before = Path(sqlite_url.removeprefix("sqlite:///")).read_bytes()[:100]
    # When
    shell("artifacts jobs info 99 <&- >&- 2>&-", environment)
    # Then the database still begins as one
    assert Path(sqlite_url.removeprefix("sqlite:///")).read_bytes()[:16] == before[:16]


@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
def test_a_pipe_that_nobody_reads_ends_the_command_quietly(
    environment: dict[str, str], forked: str, arguments: tuple[str, ...]
) -> None:
    # Given a pipe whose reader has gone
    reader, writer = os.pipe()
    os.close(reader)
    # When
    with os.fdopen(writer, "wb") as closed:
        ended = run(arguments, environment, out=closed, command=forked)
    # Then
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_a_report_may_be_cut_by_head(history: History, sqlite_url: str) -> None:
    # Given a report of more than a pipe holds
    history.failed_configs(*range(5, 1_500))
    history.started()
    environment = {**bare_environment(), "ARTIFACTS_DATABASE_URL": sqlite_url}
    # When
    ended = shell("artifacts batch report 1 | head -n 1; echo ${PIPESTATUS[0]}", environment)
    # Then
    header, status = ended.stdout.decode().splitlines()
    assert header.startswith("job_id,run_id")
    assert (status, ended.stderr) == ("141", b"")


@pytest.mark.parametrize("err", ["2>&-", "2>/dev/full"])
def test_without_standard_error_the_status_is_the_same(
    environment: dict[str, str], forked: str, err: str
) -> None:
    command = COMMAND if err == "2>&-" else forked
    for arguments, status in (("helth", 2), ("jobs info 99", 1), ("jobs list", 0)):
        assert shell(f"artifacts {arguments} {err}", environment, command).returncode == status


@pytest.fixture(
    params=[
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"TERM": "dumb"},
        {"NO_COLOR": "1"},
    ],
    ids=["ascii", "C", "dumb", "no colour"],
)
def narrow(request: pytest.FixtureRequest, environment: dict[str, str]) -> dict[str, str]:
    return {**environment, **request.param, "COLUMNS": "80"}


def test_what_an_encoding_lacks_is_replaced(
    narrow: dict[str, str], forked: str, history: History
) -> None:
    # Given a reason that is cut, and not ASCII
    snapshot = history.preview().batch.id
    history.start(snapshot, reason=f"für später: {'sehr ' * 20}bald")
    # When
    is_encoded = narrow.keys() & {"PYTHONIOENCODING", "LC_ALL"}
    command = COMMAND if is_encoded else forked
    preview = run(("batch", "preview"), narrow, command=command)
    listed = run(("batch", "list"), narrow, command=command)
    # Then
    for ended in (preview, listed):
        assert (ended.returncode, ended.stderr) == (0, b"")
        assert b"\x1b" not in ended.stdout
    if "PYTHONIOENCODING" in narrow:
        assert b"4-4" in preview.stdout
        assert b'--reason "..."' in preview.stdout
        assert rb"f\xfcr sp" in listed.stdout


def test_an_argument_that_is_no_text_is_one_line(history: History, sqlite_url: str) -> None:
    snapshot = history.preview().batch.id
    ended = subprocess.run(
        [COMMAND.encode(), b"batch", b"start", str(snapshot).encode(), b"--reason", b"caf\xe9"],
        env={**bare_environment(), "ARTIFACTS_DATABASE_URL": sqlite_url},
        capture_output=True,
        timeout=60,
        check=False,
    )
    said = rb"artifacts: 'caf\udce9' is not text in this locale: use UTF-8"
    assert (ended.returncode, ended.stderr) == (1, said + b"\n")


def test_a_file_name_that_is_no_text_is_shown_as_it_is(environment: dict[str, str]) -> None:
    name = b"/nowhere/caf\xe9.csv"
    ended = subprocess.run(
        [COMMAND.encode(), b"batch", b"preview", b"--from-file", name],
        env=environment,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr == b"artifacts: " + name + b": No such file or directory\n"


def test_each_sign_that_the_commands_print_has_an_ascii_form() -> None:
    sources = [*(PROGRAM / "worker").rglob("*.py"), *(PROGRAM / "domain").rglob("*.py")]
    signs = {sign for path in sources for sign in path.read_text() if ord(sign) > 127}
    assert {sign for sign in signs if ord(sign) not in _ASCII} == set()


@pytest.mark.parametrize(
    "arguments", [("batch", "status", "1", "--watch"), ("batch", "preview", "--from-file", "-")]
)
def test_ctrl_c_ends_a_command_without_a_traceback(
    history: History, sqlite_url: str, arguments: tuple[str, ...]
) -> None:
    # Given a batch that does not end, for no worker runs, and a command that waits
    history.started()
    process = subprocess.Popen(
        [COMMAND, *arguments],
        env={**bare_environment(), "ARTIFACTS_DATABASE_URL": sqlite_url},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        _wait_until_it_has_opened(process, sqlite_url.removeprefix("sqlite:///"))
        # When
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    # Then
    assert (process.returncode, out, err) == (130, b"", b"")


def test_ctrl_c_while_it_is_imported_is_quiet_too(environment: dict[str, str]) -> None:
    # Given the root's import is interrupted
    code = (
        "import signal, sys\n"
        "from importlib.abc import MetaPathFinder\n"
        "class Interrupting(MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'typer': signal.raise_signal(signal.SIGINT)\n"
        "from artifact_pipeline.worker.cli.main import main\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "main()"
    )
    # When
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, timeout=60, check=False
    )
    # Then
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, b"", b"")


def _wait_until_it_has_opened(process: subprocess.Popen[bytes], path: str) -> None:
    deadline = time.monotonic() + 60
    while path not in {opened.path for opened in psutil.Process(process.pid).open_files()}:
        assert process.poll() is None
        assert time.monotonic() < deadline, "it did not open the database"
        time.sleep(0.01)
