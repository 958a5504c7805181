"""What a worker and beat look at before they begin: they wait for it, or end with one line."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from sqlalchemy import make_url

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.worker.dev.stack import FLOWER_CONFIG
from artifact_pipeline.worker.embedded.process import ManagedProcess
from artifact_pipeline.worker.embedded.servers import free_port
from artifact_pipeline.worker.embedded.stack import EmbeddedStack
from tests import preloaded
from tests.databases import Databases, role
from tests.faults.proxy import TcpProxy
from tests.integration.deployment import Deployment

ONE = ("--concurrency", "1")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    with EmbeddedStack(tmp_path_factory.mktemp("stack")) as stack:
        yield stack


@pytest.fixture
def deployed(stack: EmbeddedStack) -> Deployment:
    with stack.broker.client() as broker:
        broker.flushall()
    return Deployment(stack)


def errors(process: ManagedProcess) -> list[str]:
    text = process.log.read_text()
    assert "Traceback" not in text
    return [line for line in text.splitlines() if line.startswith("artifacts: ")]


def status(process: ManagedProcess) -> int:
    """Return its exit status, once it has ended."""
    assert process._process is not None
    return process._process.wait(60)


def a_config(deployed: Deployment) -> Artifact:
    artifact = Artifact(ArtifactKind.JOB_CONFIG, deployed.job(datetime.now(UTC)))
    deployed.write(artifact)
    return artifact


@contextmanager
def ended_afterwards(process: ManagedProcess) -> Iterator[ManagedProcess]:
    try:
        yield process
    finally:
        process.kill()


class TestWrong:
    @pytest.mark.parametrize(
        ("settings", "said"),
        [
            ({"AWS_PROFILE": "prod-x"}, "bucket: AWS_PROFILE=prod-x: no such profile. "),
            ({"AWS_DEFAULT_REGION": "eu west"}, "bucket: AWS_DEFAULT_REGION=eu west: not a region"),
            (
                {"ARTIFACTS_BUCKET": "nobodys"},
                "bucket: ARTIFACTS_BUCKET=nobodys: ListObjectsV2: NoSuchBucket. ",
            ),
            (
                {"ARTIFACTS_DATABASE_URL": "sqlite:////nobodys/artifacts.db"},
                "database: ARTIFACTS_DATABASE_URL: /nobodys/artifacts.db: no such file. ",
            ),
            # Even while another part is away.
            (
                {
                    "AWS_PROFILE": "prod-x",
                    "ARTIFACTS_BROKER_URL": f"redis://127.0.0.1:{free_port()}/0",
                },
                "bucket: AWS_PROFILE=prod-x: ",
            ),
        ],
        ids=["profile", "region", "bucket", "database", "beside an outage"],
    )
    def test_a_worker_ends_with_one_line_and_takes_nothing(
        self, deployed: Deployment, settings: dict[str, str], said: str
    ) -> None:
        # Given
        artifact = a_config(deployed)
        deployed.send(artifact)
        # When
        worker = deployed.stack.start_worker(*ONE, environment=settings)
        # Then
        with ended_afterwards(worker):
            assert status(worker) == 1
        (line,) = errors(worker)
        assert line.startswith(f"artifacts: {said}")
        with deployed.stack.broker.client() as broker:
            assert broker.llen("configs") == 1

    def test_a_worker_whose_role_may_only_read_ends_with_the_grants(
        self, deployed: Deployment, fresh_postgres_url: str
    ) -> None:
        with role(fresh_postgres_url) as url:
            worker = deployed.stack.start_worker(*ONE, environment={"ARTIFACTS_DATABASE_URL": url})
            with ended_afterwards(worker):
                assert status(worker) == 1
            (line,) = errors(worker)
        assert "GRANT SELECT, INSERT, UPDATE, DELETE ON public.transfers TO role_" in line

    @pytest.mark.parametrize("app", ["worker", "beat", "flower"])
    def test_a_broker_that_refuses_the_password_ends_it(
        self, deployed: Deployment, tmp_path: Path, app: str
    ) -> None:
        # Given
        with TcpProxy(deployed.stack.broker._socket or ("127.0.0.1", 1)) as proxy:
            url = f"redis://nobody:hunter2@127.0.0.1:{proxy.port}/0"
            environment = {"ARTIFACTS_BROKER_URL": url}
            # When
            if app == "worker":
                process = deployed.stack.start_worker(*ONE, environment=environment)
            else:
                options = {
                    "beat": ("--schedule", str(tmp_path / "schedule")),
                    "flower": (f"--conf={FLOWER_CONFIG}", f"--port={free_port()}"),
                }
                process = deployed.stack.start_celery(
                    *(f"wrong-{app}", "artifact_pipeline.worker.control", app, *options[app]),
                    environment={**environment, "FLOWER_BASIC_AUTH": "me:secret"},
                )
            # Then
            with ended_afterwards(process):
                assert status(process) == 1
        (line,) = errors(process)
        assert line.startswith("artifacts: broker: ARTIFACTS_BROKER_URL: ")
        assert "hunter2" not in line


class Waiting:
    """A worker one of whose servers is behind a proxy that refuses every connection."""

    def __init__(self, deployed: Deployment, proxy: TcpProxy, part: str, directory: Path) -> None:
        proxy.refuse()
        self.deployed = deployed
        self.alive = directory / "alive"
        self.worker = deployed.stack.start_worker(
            *ONE,
            environment={
                "ARTIFACTS_LIVENESS_FILE": str(self.alive),
                **_through(part, proxy.port, deployed.stack.database_url),
            },
        )
        deployed.wait_until(lambda: self.alive.exists() and part in self.alive.read_text())

    def health(self) -> preloaded.Ended:
        environment = {**os.environ, "ARTIFACTS_LIVENESS_FILE": str(self.alive)}
        return preloaded.run_command(["health", "live"], environment)


def _through(part: str, port: int, database_url: str) -> dict[str, str]:
    if part == "broker":
        return {"ARTIFACTS_BROKER_URL": f"redis://127.0.0.1:{port}/0"}
    if part == "bucket":
        return {"ARTIFACTS_S3_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
    url = make_url(database_url).set(host="127.0.0.1", port=port, query={})
    return {"ARTIFACTS_DATABASE_URL": url.render_as_string(hide_password=False)}


@pytest.fixture(params=["broker", "database", "bucket"])
def waiting(
    request: pytest.FixtureRequest, databases: Databases, tmp_path: Path
) -> Iterator[tuple[Waiting, TcpProxy]]:
    with databases.fresh() as url, EmbeddedStack(tmp_path / "stack", url) as stack:
        socket_directory = make_url(url).query["host"]
        upstream = {
            "broker": stack.broker._socket,
            "database": Path(f"{socket_directory}/.s.PGSQL.5432"),
            "bucket": ("127.0.0.1", stack.s3.port),
        }[request.param]
        assert upstream is not None
        with TcpProxy(upstream) as proxy:
            yield Waiting(Deployment(stack), proxy, request.param, tmp_path), proxy


def test_a_worker_waits_for_what_is_away_and_then_works(
    waiting: tuple[Waiting, TcpProxy],
) -> None:
    # Given
    here, proxy = waiting
    artifact = a_config(here.deployed)
    here.deployed.send(artifact)
    # Then it is alive, says what it waits for, and leaves the message to others
    health = here.health()
    assert health.status == 0, health.err
    assert "; waits for " in health.out
    assert "not started yet, the next look is in " in here.worker.log.read_text()
    with here.deployed.stack.broker.client() as broker:
        assert broker.llen("configs") == 1
    # When
    proxy.heal()
    # Then
    assert here.deployed.ended(artifact).state is TransferState.DONE
    assert here.deployed.latest(artifact).attempts == 1
    assert "waits for" not in here.health().out


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_waits_ends_at_once_when_it_is_asked_to(
    deployed: Deployment, tmp_path: Path, number: signal.Signals
) -> None:
    # Given
    with TcpProxy(("127.0.0.1", 1)) as proxy:
        here = Waiting(deployed, proxy, "bucket", tmp_path)
        # When
        os.kill(here.worker.pid, number)
        # Then
        with ended_afterwards(here.worker):
            assert status(here.worker) == 0
    assert errors(here.worker) == []


def test_children_inherit_no_connection_of_the_start(databases: Databases, tmp_path: Path) -> None:
    # Given a worker that has looked at all, and has been given nothing to do
    with databases.fresh() as url, EmbeddedStack(tmp_path / "stack", url) as stack:
        deployed = Deployment(stack)
        worker = stack.start_worker("--concurrency", "2", "--queues", "results")
        deployed.wait_until(lambda: " ready." in worker.log.read_text())
        # Then neither it nor its children have a connection to the database or to S3
        database = Path(str(make_url(url).query["host"])).name
        for process in (psutil.Process(worker.pid), *psutil.Process(worker.pid).children()):
            connections = process.net_connections("all")
            assert not [each for each in connections if database in str(each.raddr)]
            ports = [each.raddr.port for each in connections if hasattr(each.raddr, "port")]
            assert stack.s3.port not in ports
