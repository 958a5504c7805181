"""`artifacts metrics`."""

from typing import Annotated

import typer

from artifact_pipeline.worker.cli.extras import require_extra

_DEFAULT = "127.0.0.1:9540"


def metrics(
    *,
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where Prometheus asks; port 0 is a free one.")
    ] = _DEFAULT,
    once: Annotated[
        bool,
        typer.Option("--once", help="Print the metrics, with what ended in the last 15 minutes."),
    ] = False,
) -> None:
    """Serve the backlog, the workers and the failures as metrics for Prometheus, until Ctrl-C."""
    host, port = _parsed(listen)
    require_extra("artifacts metrics", "metrics", "prometheus_client")
    from artifact_pipeline.worker.cli.metrics_run import print_metrics, serve_metrics  # noqa: PLC0415 - for the help

    if once:
        print_metrics()
    else:
        serve_metrics(host, port)


def _parsed(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    if not (colon and bare and port.isdecimal() and int(port) < 65536):  # noqa: PLR2004 - ports
        raise typer.BadParameter(
            f"--listen is {listen!r}: give HOST:PORT, such as {_DEFAULT} or [::1]:9540"
        )
    return bare, int(port)
