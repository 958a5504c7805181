"""Nothing is decided by the wall clock of a worker, beat or producer."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.image import ROOT

_SOURCES = (*(ROOT / name for name in ("domain", "tasks", "worker")), ROOT / "celeryconfig.py")
_READ = {
    *("datetime.now", "datetime.utcnow", "datetime.today", "date.today", "timezone.now"),
    *("time.time", "time.time_ns", "time.localtime", "time.gmtime", "time.ctime"),
    *("time.clock_gettime", "time.strftime", "func.now", "func.current_timestamp"),
}
_FROM_TIME = {name.removeprefix("time.") for name in _READ if name.startswith("time.")}
_MESSAGE_OPTIONS = {"eta", "countdown", "expires"}
_FILE_TIMES = {"st_mtime", "st_atime", "st_ctime", "getmtime", "getctime"}

ALLOWED = {
    ("domain/fakes/artifact_events.py", "datetime.now"): (1, "a fake, as the database's clock"),
    ("domain/fakes/artifacts.py", "datetime.now"): (1, "a fake, as the database's clock"),
    ("domain/fakes/audit.py", "datetime.now"): (1, "a fake, as the database's clock"),
    ("domain/fakes/audit_trail.py", "datetime.now"): (1, "a fake, as the database's clock"),
    ("domain/fakes/legal_holds.py", "datetime.now"): (1, "a fake, as the database's clock"),
    ("domain/fakes/locations.py", "datetime.now"): (1, "a fake, as S3's clock"),
    ("domain/fakes/storage.py", "datetime.now"): (1, "a fake, as S3's clock"),
    ("domain/fakes/transfer_rows.py", "datetime.now"): (1, "a fake, as the database's clock"),
    ("domain/model/random_ids.py", "time.time_ns"): (1, "only where an id stands in an index"),
    ("domain/model/webhooks.py", "time.time"): (1, "the clock of a webhook's receiver"),
    ("domain/platform/calls.py", "datetime.now"): (1, "what the platform hands to its repository"),
    ("tasks/lasting_records.py", "datetime.now"): (1, "dates notes; RabbitMQ, SQS tell no time"),
    ("tasks/base.py", "countdown"): (1, "of a retry; its header has the delay itself"),
    ("tasks/beat.py", "datetime.now"): (1, "an origin: only differences count, and are monotonic"),
    ("tasks/message_headers.py", "datetime.now"): (1, "translates the broker's clock for Celery"),
    ("tasks/receipt.py", "datetime.now"): (1, "translates it back"),
    ("tasks/sendable.py", "datetime.now"): (1, "an early error; the worker asks the broker's"),
    ("worker/messages/broker_clock.py", "time.time"): (
        2,
        "what kombu will subtract; a broker that is away",
    ),
    ("worker/messages/amqp_channel.py", "datetime.now"): (1, "refuses what is due later"),
    ("worker/diagnosis/findings.py", "datetime.now"): (1, "is compared with the servers' clocks"),
    ("worker/s3/dates.py", "datetime.now"): (1, "an S3 that says no date"),
    ("worker/s3/direct_requests.py", "time.gmtime"): (1, "the date that S3 wants to be signed"),
    ("worker/s3/direct_requests.py", "time.strftime"): (1, "the same"),
    ("worker/file_store/descriptions.py", "datetime.now"): (1, "a note that nothing reads"),
    ("worker/file_store/platform.py", "datetime.now"): (1, "ages that a caller asks for"),
    ("worker/file_store/reading.py", "st_mtime"): (1, "when an object was stored, as S3 says it"),
    ("worker/file_store/uploads.py", "datetime.now"): (1, "is compared with times of the files"),
    ("worker/file_store/uploads.py", "st_mtime"): (2, "when an upload was begun"),
    ("worker/messages/handled_uploads.py", "time.time"): (1, "the time of an event for Flower"),
    ("worker/tracing/contents.py", "time.time_ns"): (1, "the times of spans, as OpenTelemetry's"),
    ("worker/tracing/page_uploads.py", "time.time_ns"): (1, "the ends of spans, as above"),
    ("worker/web/access/csrf.py", "time.time"): (1, "how long a form may be sent; only its own"),
    ("worker/web/pages/batches.py", "datetime.now"): (2, "ages on a page, without the database"),
    ("worker/web/reads/overview.py", "datetime.now"): (1, "when a page was made"),
    ("worker/web/services/system.py", "datetime.now"): (2, "when a page was made"),
    ("worker/lifecycle/signs.py", "st_mtime"): (1, "a process of an earlier release"),
    ("worker/lifecycle/signs.py", "time.time"): (1, "a process of an earlier release"),
}
"""Uses of the wall clock, how many, and why each decides nothing that matters."""


def readings(source: str) -> Iterator[str]:
    """Yield what in the source goes by the wall clock."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            name = f"{ast.unparse(node.value).rpartition('.')[2]}.{node.attr}"
            if name in _READ:
                yield name
            elif node.attr in _FILE_TIMES:
                yield node.attr
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            yield from (f"time.{each.name}" for each in node.names if each.name in _FROM_TIME)
        elif isinstance(node, ast.Call):
            yield from (each.arg for each in node.keywords if each.arg in _MESSAGE_OPTIONS)
        elif isinstance(node, ast.Dict):
            keys = (each.value for each in node.keys if isinstance(each, ast.Constant))
            yield from (str(each) for each in keys if each in _MESSAGE_OPTIONS)


def _files() -> Iterator[Path]:
    for source in _SOURCES:
        yield from source.rglob("*.py") if source.is_dir() else [source]


def test_no_code_goes_by_the_wall_clock_but_what_is_listed_with_its_reason() -> None:
    found = Counter(
        (file.relative_to(ROOT).as_posix(), name)
        for file in _files()
        for name in readings(file.read_text())
    )
    assert dict(found) == {where: count for where, (count, _reason) in ALLOWED.items()}


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import datetime\ndatetime.datetime.now()", "datetime.now"),
        ("now: Clock = lambda: datetime.now(UTC)", "datetime.now"),
        ("field(default_factory=datetime.utcnow)", "datetime.utcnow"),
        ("from time import monotonic, time", "time.time"),
        ("time.time() - 5", "time.time"),
        ("os.stat(path).st_mtime", "st_mtime"),
        ("os.path.getmtime(path)", "getmtime"),
        ("app.send_task('x', expires=10)", "expires"),
        ("self.retry(countdown=10)", "countdown"),
        ("{'options': {'expires': 10}}", "expires"),
        ("select(func.now())", "func.now"),
    ],
)
def test_a_use_is_found(source: str, name: str) -> None:
    assert list(readings(source)) == [name]


@pytest.mark.parametrize(
    "source", ["time.monotonic()", "utc_now()", "transfers.now()", "st_mtime_ns", "expires_in=5"]
)
def test_other_clocks_are_not_meant(source: str) -> None:
    assert not list(readings(source if "=" not in source else f"f({source})"))
