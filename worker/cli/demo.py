"""`artifacts demo`."""

from pathlib import Path
from typing import Annotated

import typer

from artifact_pipeline.worker.cli.options import JsonOption
from artifact_pipeline.worker.cli.paths import parse_existing_directory


def demo(
    results_dir: Annotated[
        Path | None,
        typer.Option(
            parser=parse_existing_directory,
            metavar="DIRECTORY",
            help="Your own results: a directory of RUN*.",
        ),
    ] = None,
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Keep it running until Ctrl-C.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Play the story of a late upload on an embedded broker, database, S3 and worker."""
    from artifact_pipeline.worker.cli.demo_run import show_demo  # noqa: PLC0415 - for the help

    show_demo(results_dir, keep=keep, as_json=as_json)
