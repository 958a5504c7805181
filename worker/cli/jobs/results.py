"""`artifacts jobs results`: upload results without a worker."""

from pathlib import Path
from typing import Annotated

import typer

from artifact_pipeline.domain.model.jobs import MAX_ID
from artifact_pipeline.domain.platform.use_cases import upload_results
from artifact_pipeline.worker.cli.lazy import group_app
from artifact_pipeline.worker.cli.options import (
    JobArgument,
    JobIdOption,
    JsonOption,
    WideOption,
    the_job,
)
from artifact_pipeline.worker.cli.output import Size, show_rows
from artifact_pipeline.worker.composition.operator import adapters

_COLUMNS = ("kind", "run_id", "size", "key", "links_left_out")

app = group_app("Upload a run's results without a worker.")

RunIdArgument = Annotated[
    int, typer.Option("--run-id", min=1, max=MAX_ID, help="The run whose results they are.")
]
ResultsDirOption = Annotated[
    Path,
    typer.Option(
        "--results-dir", exists=True, file_okay=False, help="It holds RUN* directories, or is one."
    ),
]


@app.command("upload")
def upload(  # noqa: PLR0913 - an argument for each option
    job: JobArgument = None,
    *,
    job_id: JobIdOption = None,
    run_id: RunIdArgument,
    results_dir: ResultsDirOption,
    wide: WideOption = False,
    as_json: JsonOption = False,
) -> None:
    """Zip the RUN* directories and store them now, without a worker, under the job's prefix."""
    asked, using = the_job(job, job_id), adapters()
    stored = upload_results(
        using.jobs,
        using.runs,
        using.results,
        using.artifacts,
        job_id=asked,
        run_id=run_id,
        results_dir=results_dir,
    )
    row = {
        "kind": stored.artifact.kind,
        "run_id": stored.artifact.run_id,
        "key": stored.object.key,
        "size": Size(stored.object.size),
        "sha256": stored.object.sha256,
        "links_left_out": stored.links_left_out,
    }
    show_rows([row], as_json=as_json, empty="", brief=_COLUMNS, wide=wide)
