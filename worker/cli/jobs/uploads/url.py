"""`artifacts jobs uploads url`: a presigned URL of an artifact."""

from datetime import timedelta
from typing import Annotated

import typer

from artifact_pipeline.domain.model.durations import age
from artifact_pipeline.worker.cli.options import (
    JobArgument,
    JobIdOption,
    JsonOption,
    OneKindOption,
    RunIdOption,
    the_artifact,
)
from artifact_pipeline.worker.cli.output import note, print_json, say, where
from artifact_pipeline.worker.cli.quarantine import parse_age
from artifact_pipeline.worker.composition.operator import adapters

ExpiresOption = Annotated[
    timedelta | None,
    typer.Option(
        "--expires",
        parser=parse_age,
        metavar="TIME",
        help="15m, 2h, at most 7d. By default ARTIFACTS_DOWNLOAD_URL_EXPIRES.",
    ),
]
_LONGEST = timedelta(days=7)


def url(  # noqa: PLR0913 - an argument for each option
    job: JobArgument = None,
    *,
    job_id: JobIdOption = None,
    run_id: RunIdOption = None,
    kind: OneKindOption,
    expires: ExpiresOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a presigned URL to download one artifact with.

    Everyone who has the URL can download the artifact until it expires.
    """
    artifact = the_artifact(job, job_id, run_id, kind)
    if expires is not None and not timedelta(0) < expires <= _LONGEST:
        raise typer.BadParameter(f"--expires {age(expires)}: 1s to {_LONGEST.days}d are allowed")
    using = adapters()
    existing = using.locate.find(artifact).object
    seconds = int((expires or using.download_url_expires).total_seconds())
    signed = using.results.get_download_url(where(existing.address), expiration_seconds=seconds)
    if existing.tier.must_be_restored:
        note(f"{artifact}: in {existing.tier_name}, so it must be restored before the URL works")
    if as_json:
        print_json({"url": signed.url, "expires_in": timedelta(seconds=seconds)})
    else:
        say(signed.url)
