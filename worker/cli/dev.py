"""`artifacts dev`."""

from pathlib import Path
from typing import Annotated

import typer

from artifact_pipeline.worker.cli.paths import parse_directory

_Port = typer.Option(min=1, max=65535, help="By default a free one.", show_default=False)


def dev(  # noqa: PLR0913 - an argument for each option
    *,
    data: Annotated[
        Path | None,
        typer.Option(
            parser=parse_directory,
            metavar="DIRECTORY",
            help="Keep all data there; by default it is removed at the end.",
        ),
    ] = None,
    broker_port: Annotated[int | None, _Port] = None,
    s3_port: Annotated[int | None, _Port] = None,
    flower_port: Annotated[int | None, _Port] = None,
    metrics_port: Annotated[int | None, _Port] = None,
    web_port: Annotated[int | None, _Port] = None,
    workers: Annotated[
        str | None,
        typer.Option(
            metavar="auto|CORES",
            help="Processes as recommended for this machine, or for so many cores.",
        ),
    ] = None,
    concurrency: Annotated[
        int, typer.Option(min=1, max=64, help="Processes of each worker, without --workers.")
    ] = 2,
) -> None:
    """Run the whole pipeline here until Ctrl-C: servers, workers, beat, pages, Flower, metrics."""
    from artifact_pipeline.worker.cli.dev_run import run_dev  # noqa: PLC0415 - for the help
    from artifact_pipeline.worker.dev.layout import planned_processes  # noqa: PLC0415 - the same

    run_dev(
        data,
        broker_port=broker_port,
        s3_port=s3_port,
        flower_port=flower_port,
        metrics_port=metrics_port,
        web_port=web_port,
        processes=planned_processes(workers, concurrency),
    )
