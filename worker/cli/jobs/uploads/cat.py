"""`artifacts jobs uploads cat`: an artifact to standard output."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.transfers.read import ByteRange, ReadArtifact, ResumedReads
from artifact_pipeline.worker.cli.options import (
    JobArgument,
    JobIdOption,
    OneKindOption,
    RunIdOption,
    the_artifact,
)
from artifact_pipeline.worker.cli.output import note
from artifact_pipeline.worker.cli.streams import OutputError
from artifact_pipeline.worker.composition.operator import adapters

_ALL = ByteRange()
RangeOption = Annotated[
    str | None,
    typer.Option(
        "--range",
        metavar="FIRST-LAST",
        help="Only these bytes: 0-99, 100- for the rest, -100 for the last. Not verified.",
    ),
]


def cat(
    job: JobArgument = None,
    *,
    job_id: JobIdOption = None,
    run_id: RunIdOption = None,
    kind: OneKindOption,
    only: RangeOption = None,
) -> None:
    """Write one artifact to standard output.

    A broken connection continues where it broke. At the end the bytes are compared with the
    checksum that was recorded; if they differ, the exit status is 1, and the output is of no use.
    """
    artifact = the_artifact(job, job_id, run_id, kind)
    wanted = _ALL if only is None else _range(only)
    using = adapters()
    read = ReadArtifact(locate=using.locate, reads=ResumedReads(reader=using.reader))
    is_verified = read(artifact, wanted, _write)
    with _output_errors():
        sys.stdout.buffer.flush()
    if wanted == _ALL and not is_verified:
        note(f"{artifact}: not verified, because the store has no checksum of it")


def _range(text: str) -> ByteRange:
    try:
        return ByteRange.parse(text)
    except InvalidRequestError as error:
        raise typer.BadParameter(f"--range: {error}") from None


def _write(chunk: bytes) -> None:
    with _output_errors():
        sys.stdout.buffer.write(chunk)


@contextmanager
def _output_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(error) from None
