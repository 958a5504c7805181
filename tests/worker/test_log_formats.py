"""The form of lines in the log, and what they say of their transfer."""

import io
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from celery import Celery
from celery.signals import after_setup_logger, after_setup_task_logger

from artifact_pipeline.domain.errors import SourceMissingError, StoreUnavailableError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.domain.ports.object_store import IObjectStore
from artifact_pipeline.worker.cli.notes import logged_as_notes
from artifact_pipeline.worker.logs.formats import ConsoleLines, JsonLines, set_form, use_log_format
from artifact_pipeline.worker.logs.forms import LogFormat
from tests.domain.conftest import world as world  # noqa: PLC0414 - a fixture
from tests.domain.paging import UNHURRIED, FakePages, page_runner
from tests.domain.world import RESULTS, World
from tests.tracing.collected import TRACE_ID, Collected, in_request, span_id

OURS = logging.getLogger("artifact_pipeline")
LIKE_CELERY = "[%(asctime)s: %(levelname)s/%(processName)s] %(message)s"


class Written:
    """The lines of a handler of this form."""

    def __init__(self, form: LogFormat) -> None:
        self._stream = io.StringIO()
        self.handler = logging.StreamHandler(self._stream)
        self.handler.setFormatter(logging.Formatter(LIKE_CELERY))
        set_form([self.handler], form)

    @property
    def lines(self) -> list[str]:
        return self._stream.getvalue().splitlines()

    @property
    def parsed(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]


@pytest.fixture
def written(request: pytest.FixtureRequest) -> Iterator[Written]:
    """What this package logs, in JSON unless the test says otherwise."""
    written = Written(getattr(request, "param", "json"))
    before = OURS.level
    OURS.addHandler(written.handler)
    OURS.setLevel(logging.INFO)
    yield written
    OURS.setLevel(before)
    OURS.removeHandler(written.handler)


def upload(world: World, artifact: Artifact = RESULTS) -> None:
    world.runner()(artifact, Direction.UPLOAD, "a")


def test_a_transfer_ends_with_one_line(world: World, written: Written) -> None:
    # When
    upload(world)
    # Then
    [line] = written.parsed
    assert line.pop("timestamp").endswith("+00:00")
    assert line.pop("seconds") >= 0
    assert line.pop("event").startswith("run_results of job 12 run 4: upload done, 2000 bytes in")
    assert line == {
        "level": "info",
        "logger": "artifact_pipeline.domain.transfers.conclusion",
        "process": "MainProcess",
        "job": 12,
        "run": 4,
        "kind": "run_results",
        "direction": "upload",
        "transfer": 1,
        "attempt": 1,
        "request": "a",
        "outcome": "done",
        "bytes": 2000,
    }


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            StoreUnavailableError("https://u:secret@s3"),
            ("warning", "waiting", "s3_unavailable"),
        ),
        (SourceMissingError("/srv/secret"), ("error", "quarantined", "source_missing")),
    ],
)
def test_a_failure_has_its_reason(
    world: World, written: Written, error: Exception, expected: tuple[str, str, str]
) -> None:
    world.store.failures.append(error)
    with pytest.raises(type(error)):
        upload(world)
    [line] = written.parsed
    assert (line["level"], line["outcome"], line["reason"]) == expected
    assert line["seconds"] >= 0
    assert "secret" not in written.lines[0]


def test_every_line_of_a_page_names_its_own_transfer(
    world: World, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given uploads, and a store that logs with each
    artifacts = [Artifact(ArtifactKind.JOB_CONFIG, job_id) for job_id in (12, 13)]
    for artifact in artifacts:
        world.workspace.contents[artifact] = b"{}"
        world.transfers.request(artifact, Direction.UPLOAD, str(artifact))
    put = type(world.store).put

    def noisy(store: IObjectStore, key: str, *args: Any, **options: Any) -> Any:
        OURS.getChild("s3").info("a line of %s", key.split("/")[1])
        return put(store, key, *args, **options)  # type: ignore[arg-type] # in memory

    monkeypatch.setattr(type(world.store), "put", noisy)
    # When they are uploaded by the threads of a page
    runner = page_runner(world, FakePages(world), replace(UNHURRIED, threads=2))
    runner._size = 2
    runner(artifacts[0], str(artifacts[0]))
    # Then
    of_store = [line for line in written.parsed if line["event"].startswith("a line of")]
    assert sorted(line["event"] for line in of_store) == ["a line of 12", "a line of 13"]
    assert all(line["event"].endswith(str(line["job"])) for line in of_store)
    assert {line["job"]: line["request"] for line in of_store} == {
        artifact.job_id: str(artifact) for artifact in artifacts
    }
    ends = [line for line in written.parsed if "outcome" in line]
    assert sorted(line["job"] for line in ends) == [12, 13]


def test_a_line_names_the_trace(world: World, written: Written) -> None:
    # Given
    collected = Collected()
    world.tracing = collected.tracing
    with in_request():
        world.transfers.request(RESULTS, Direction.UPLOAD, "a")
    # When
    upload(world)
    # Then
    [line] = written.parsed
    span = span_id(collected.one("artifacts.upload"))
    assert (line["trace_id"], line["span_id"]) == (TRACE_ID, span)


@pytest.mark.parametrize("written", ["console"], indirect=True)
def test_the_console_has_celerys_lines_and_the_transfer(world: World, written: Written) -> None:
    OURS.info("outside of a transfer")
    upload(world)
    first, second = written.lines
    assert first.endswith("INFO/MainProcess] outside of a transfer")
    assert " run_results of job 12 run 4: upload done, 2000 bytes in" in second
    assert second.endswith(
        "  job=12 run=4 kind=run_results direction=upload transfer=1 attempt=1 request=a"
    )


def test_a_traceback_is_within_its_line(written: Written) -> None:
    try:
        raise ValueError("ü\n")  # noqa: TRY301 - it is logged with its frames
    except ValueError:
        OURS.exception("a fault")
    [line] = written.parsed
    assert line["event"] == "a fault"
    assert line["exception"].startswith("Traceback")


def test_what_celery_adds_to_its_records_stays_out(written: Written) -> None:
    data = {"name": "artifacts.dispatch", "id": "an id", "args": "a secret", "exc": "a secret"}
    OURS.info("Task succeeded", extra={"data": data, "other": "a secret"})
    [line] = written.parsed
    assert (line["task"], line["task_id"]) == ("artifacts.dispatch", "an id")
    assert "secret" not in written.lines[0]


def test_each_line_within_a_task_names_its_transfer_and_its_request(
    world: World, written: Written
) -> None:
    # Given the task of a transfer, whose own line Celery writes without a claim
    app = Celery(set_as_current=False)

    @app.task(name="artifacts.upload_run_results", shared=False)  # else every app would have it
    def task(**_ids: int) -> None:
        upload(world)
        OURS.info("Task succeeded", extra={"data": {"name": "any", "id": "a"}})

    # When
    task.apply(kwargs={"job_id": 12, "run_id": 4}, task_id="a")
    # Then
    of_transfer = ("job", "run", "kind", "direction", "request", "task_id")
    for line in written.parsed:
        assert [line[name] for name in of_transfer] == [12, 4, "run_results", "upload", "a", "a"]
    assert len(written.parsed) == 2


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_command_that_serves_logs_in_the_form(
    form: LogFormat, capsys: pytest.CaptureFixture[str]
) -> None:
    # When
    with logged_as_notes(OURS.name, form=form):
        OURS.warning("a fault")
    # Then
    line = capsys.readouterr().err.strip()
    if form == "json":
        assert (json.loads(line)["event"], json.loads(line)["level"]) == ("a fault", "warning")
    else:
        assert line.endswith("WARNING a fault")


@pytest.mark.parametrize(("form", "expected"), [("json", JsonLines), ("console", ConsoleLines)])
def test_celerys_handlers_get_the_form(
    form: LogFormat, expected: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    for signal in (after_setup_logger, after_setup_task_logger):
        monkeypatch.setattr(signal, "receivers", [])
        monkeypatch.setattr(signal, "sender_receivers_cache", {}, raising=False)
    use_log_format(form)
    # When Celery has set up its loggers, once more in a child
    loggers = [logging.getLogger(f"tests.{name}") for name in ("root", "task")]
    for logger in loggers:
        monkeypatch.setattr(logger, "handlers", [logging.StreamHandler()])
    for _ in range(2):
        after_setup_logger.send(sender=None, logger=loggers[0])
        after_setup_task_logger.send(sender=None, logger=loggers[1])
    # Then
    formatters = [logger.handlers[0].formatter for logger in loggers]
    assert {type(formatter) for formatter in formatters} == {expected}
