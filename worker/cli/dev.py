"""`artifacts dev`."""

from pathlib import Path
from typing import Annotated

import typer

_Port = typer.Option(min=1, max=65535, help="By default a free one.", show_default=False)


def dev(
    *,
    data: Annotated[
        Path | None,
        typer.Option(
            file_okay=False, help="Keep all data there; by default it is removed at the end."
        ),
    ] = None,
    broker_port: Annotated[int | None, _Port] = None,
    s3_port: Annotated[int | None, _Port] = None,
    flower_port: Annotated[int | None, _Port] = None,
    concurrency: Annotated[
        int, typer.Option(min=1, max=64, help="Transfers at once, of each worker.")
    ] = 2,
) -> None:
    """Run the whole pipeline here until Ctrl-C: broker, S3, database, workers, beat, Flower."""
    from artifact_pipeline.worker.cli.dev_run import run_dev  # noqa: PLC0415 - for the help

    run_dev(
        data,
        broker_port=broker_port,
        s3_port=s3_port,
        flower_port=flower_port,
        concurrency=concurrency,
    )
