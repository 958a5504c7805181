"""`artifacts dev`: everything started, followed and stopped."""

import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from artifact_pipeline.worker.cli.output import err, out
from artifact_pipeline.worker.cli.signals import unwind_on_signals
from artifact_pipeline.worker.demo.story import seed
from artifact_pipeline.worker.dev.logs import Logs
from artifact_pipeline.worker.dev.stack import DevStack, Flower, Metrics, Web, held
from artifact_pipeline.worker.dev.supervision import Supervisor
from artifact_pipeline.worker.embedded.lifeline import temporary_directory
from artifact_pipeline.worker.embedded.process import ManagedProcess
from artifact_pipeline.worker.embedded.servers import require_servers
from artifact_pipeline.worker.embedded.stack import BUCKET, Ports
from artifact_pipeline.worker.workspace import Workspace

_POLL_SECONDS = 0.1


def run_dev(  # noqa: PLR0913 - an argument for each option
    data: Path | None,
    *,
    broker_port: int | None,
    s3_port: int | None,
    flower_port: int | None,
    metrics_port: int | None,
    web_port: int | None,
    processes: Mapping[str, int],
) -> None:
    """Run everything until a signal; without `data` its directory is removed at the end."""
    unwind_on_signals()
    require_servers("artifacts dev", "ministack", "flower", "prometheus_client", "uvicorn")
    with (
        _directory(data) as directory,
        held(directory),
        DevStack(directory, Ports(broker=broker_port, s3=s3_port)) as stack,
    ):
        seed(stack.engine, Workspace(stack.workspace))
        started = [*stack.start_workers(processes), stack.start_beat()]
        flower = stack.start_flower(flower_port)
        metrics = stack.start_metrics(metrics_port)
        web = stack.start_web(web_port)
        started += [flower.process, metrics.process, web.process]
        _tell(stack, flower, metrics, web)
        try:
            _follow(stack, [stack.broker, stack.s3, *started])
        except KeyboardInterrupt:
            err.print("stopping")
        finally:
            # End all at once: one after the other would add their times up.
            for process in started:
                process.terminate()


@contextmanager
def _directory(data: Path | None) -> Iterator[Path]:
    if data is not None:
        yield data.absolute()
        return
    with temporary_directory() as directory:
        yield directory


def _tell(stack: DevStack, flower: Flower, metrics: Metrics, web: Web) -> None:
    """Print where everything is, and what to type in another terminal."""
    environment = stack.write_environment()
    for name, value in (
        ("broker", stack.broker.url),
        ("S3", f"{stack.s3.url}/{BUCKET}"),
        ("database", stack.database_url),
        ("workspace", str(stack.workspace)),
        ("web", web.url),
        ("Flower", flower.url),
        ("metrics", metrics.url),
    ):
        _line(f"{name:10}{value}")
    _line("\nCtrl-C ends it. In another terminal:\n")
    _line(f"  . {shlex.quote(str(environment))}")
    _line("  artifacts jobs upload --job-id 12 --wait\n")


def _line(text: str) -> None:
    out.print(text, highlight=False, markup=False, soft_wrap=True)


def _follow(stack: DevStack, processes: Sequence[ManagedProcess]) -> None:
    """Show what they log, and restart those that end.

    Raises:
        ServerFailedError: one of them ends again and again; the rest is of no use without it.
    """
    logs = Logs(processes)
    supervisor = Supervisor(processes, stack.restarted)
    while True:
        for text in logs.new():
            out.print(text, soft_wrap=True)
        for line in supervisor.restart_ended():
            err.print(line, highlight=False, markup=False, soft_wrap=True)
        time.sleep(_POLL_SECONDS)
