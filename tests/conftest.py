"""Real servers for the tests, each started once. One that cannot start fails the run."""

import gc
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import closing
from functools import cache, partial
from pathlib import Path
from shutil import copy
from typing import Any

import hypothesis
import pytest
from mypy_boto3_s3 import S3Client
from sqlalchemy import Engine

from artifact_pipeline.worker.embedded import lifeline
from artifact_pipeline.worker.embedded.servers import Ministack, Valkey
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.migrate import upgrade
from tests import (
    bytecode,
    compiled_statements,
    forked_workers,
    interrupts,
    migrated_files,
    preloaded,
    processes,
    quick_logging,
    shared_botocore,
    sparse_reports,
    unsynced_sqlite,
)
from tests.buckets import client_of, create_bucket
from tests.databases import Databases
from tests.faults.postgres import UNSYNCED, RestartablePostgres, copy_data
from tests.image import ROOT, build, environment_of
from tests.once import made_once
from tests.servers import Moto

# The suites are no test modules by name; so their failures say what they compared.
pytest.register_assert_rewrite("tests.contract")

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGALRM)
_OF_THE_TESTS = {"ARTIFACTS_FUZZED_MESSAGES", "ARTIFACTS_PICTURES"}


def pytest_configure(config: pytest.Config) -> None:
    bytecode.compile_for_all(config)
    gc.disable()  # until all is collected: little of it is garbage
    _set_up(config.option.markexpr)
    forked_workers.fork_early(config)
    sparse_reports.keep_uneventful(config)


@cache
def _set_up(expression: str) -> None:
    """Set up this process, which may be forked from one that is."""
    _hide_the_folders()
    interrupts.take_interrupts()
    processes.watch()
    lifeline.start = preloaded.start
    _leave_out_the_users_settings()
    _set_up_hypothesis(expression)
    compiled_statements.share()
    migrated_files.share()
    unsynced_sqlite.leave_unsynced()
    shared_botocore.share()
    quick_logging.share()


def _hide_the_folders() -> None:
    """Let no test import a module by the name of its folder: it would be a second one."""
    sys.modules.update(dict.fromkeys(("domain", "tasks", "worker")))  # type: ignore[arg-type]


def _set_up_hypothesis(expression: str) -> None:
    """Let no example fail for being slow: how long one takes depends on what else runs.

    `make test-fast` tries a quarter of the examples, for it is run before each commit.
    """
    if "CI" not in os.environ:  # there hypothesis has such a profile of its own
        slow = [hypothesis.HealthCheck.too_slow]
        hypothesis.settings.register_profile("tests", deadline=None, suppress_health_check=slow)
        hypothesis.settings.load_profile("tests")
    if expression == processes.FAST:
        hypothesis.settings.register_profile(
            "fast", hypothesis.settings(), max_examples=hypothesis.settings().max_examples // 4
        )
        hypothesis.settings.load_profile("fast")


def _leave_out_the_users_settings() -> None:
    """The tests, and the processes that they start, see none of this machine's own settings."""
    for name in list(os.environ):
        if name.startswith(("ARTIFACTS_", "AWS_", "OTEL_")) and name not in _OF_THE_TESTS:
            del os.environ[name]


# First: the selection by mark comes after it.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    processes.mark(items)


def pytest_collection_finish() -> None:
    """Collect garbage seldom, and never the collected tests: that took an eighth of the time."""
    gc.freeze()
    gc.set_threshold(200_000, 20, 50)
    gc.enable()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return processes.is_left_out(collection_path, config.option.markexpr) or None


@pytest.hookimpl(tryfirst=True)
def pytest_report_to_serializable(
    config: pytest.Config, report: pytest.TestReport | pytest.CollectReport
) -> dict[str, Any] | None:
    if isinstance(report, pytest.CollectReport):
        return None
    return sparse_reports.serialized(config, report)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    with processes.guard(item):
        return (yield)


@pytest.fixture(autouse=True)
def _signals_are_left_as_they_were() -> Iterator[None]:
    """Fail a test that leaves a handler behind: with it, a later test's signal can end the run."""
    before = [signal.getsignal(number) for number in _SIGNALS]
    yield
    assert [signal.getsignal(number) for number in _SIGNALS] == before


@pytest.fixture(scope="session", autouse=True)
def _random_numbers_are_registered() -> None:
    """Have Hypothesis register its random numbers before any test.

    It warns if nothing refers to them, and asks the garbage collector, which does not see what was
    there before `gc.freeze`. So the first test with examples could fail, by what ran before it.
    """

    @hypothesis.settings(max_examples=1, database=None)
    @hypothesis.given(hypothesis.strategies.none())
    def try_one_example(_: None) -> None:
        """Do nothing with it."""

    try_one_example()


@pytest.fixture(scope="session")
def postgres_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a PostgreSQL server, to be copied: it has what `Databases.make` makes."""
    return made_once(tmp_path_factory, "postgres", _make_databases) / "data"


@pytest.fixture(scope="session")
def databases(postgres_data: Path) -> Iterator[Databases]:
    """Those of a PostgreSQL server."""
    with (
        RestartablePostgres(*UNSYNCED, data=postgres_data) as server,
        closing(Databases(server.url("{name}"))) as databases,
    ):
        yield databases


def _make_databases(directory: Path) -> None:
    with RestartablePostgres(*UNSYNCED) as server:
        with closing(Databases(server.url("{name}"))) as databases:
            databases.make()
        server.stop("fast")
        copy_data(server.data, directory / "data")


@pytest.fixture
def empty_postgres_url(databases: Databases) -> Iterator[str]:
    """A database without any table."""
    with databases.fresh("template0") as url:
        yield url


@pytest.fixture
def fresh_postgres_url(databases: Databases) -> Iterator[str]:
    """A migrated database whose tables may be changed."""
    with databases.fresh() as url:
        yield url


@pytest.fixture
def postgres_url(databases: Databases) -> str:
    """A migrated database."""
    return databases.emptied()


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "artifacts.db"
    engine = make_engine(f"sqlite:///{path}")
    upgrade(engine, with_platform_tables=True)
    engine.dispose()
    return path


@pytest.fixture
def sqlite_url(migrated_file: Path, tmp_path: Path) -> str:
    """A migrated database."""
    return f"sqlite:///{copy(migrated_file, tmp_path)}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated database, of each kind in turn."""
    fixture = {"sqlite": "sqlite_url", "postgresql": "postgres_url"}[request.param]
    url: str = request.getfixturevalue(fixture)
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without any table, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    url: str = request.getfixturevalue("empty_postgres_url")
    return url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    with Valkey(tmp_path_factory.mktemp("broker")) as server:
        yield server


@pytest.fixture
def broker(valkey: Valkey) -> Valkey:
    """An empty broker."""
    with valkey.client() as client:
        client.flushall()
    return valkey


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ministack]:
    with Ministack(tmp_path_factory.mktemp("s3"), "tests", "tests-secret") as server:
        yield server


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    with Moto(tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture
def no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries of botocore follow at once."""
    monkeypatch.setattr(
        "botocore.retries.standard.ExponentialBackoff.delay_amount", lambda _self, _context: 0
    )


@pytest.fixture
def s3_client(ministack: Ministack) -> S3Client:
    """A client of the S3 server that verifies checksums."""
    return client_of(ministack.url)


@pytest.fixture
def bucket(s3_client: S3Client) -> str:
    """An empty bucket on that server."""
    return create_bucket(s3_client)


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is under version control, or could be: a build leaves the work tree clean."""
    copy = tmp_path_factory.mktemp("sources")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if os.path.lexists(ROOT / name):  # not one that was deleted
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name, follow_symlinks=False)
    return copy


@pytest.fixture(scope="session")
def image(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment that the Dockerfile makes of these sources and the runtime lock."""
    return environment_of(made_once(tmp_path_factory, "image", partial(build, sources)))
