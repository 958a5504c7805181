"""`artifacts jobs results`: results from wherever they are."""

from pathlib import Path
from typing import Annotated

import typer

from domain.jobs import MAX_ID
from domain.use_cases import upload_results
from worker.cli.operator import adapters
from worker.cli.options import JobIdOption, JsonOption
from worker.cli.output import show_rows, size_of

app = typer.Typer(help="A run's results.", no_args_is_help=True)

RunIdArgument = Annotated[int, typer.Option("--run-id", min=1, max=MAX_ID, help="Whose results.")]
ResultsDirOption = Annotated[
    Path,
    typer.Option("--results-dir", exists=True, file_okay=False, help="It holds RUN* directories."),
]


@app.callback()
def _group() -> None:
    """Keep `upload` a command of its own: Typer merges a group's only command into the group."""


@app.command("upload")
def upload(
    job_id: JobIdOption,
    run_id: RunIdArgument,
    results_dir: ResultsDirOption,
    as_json: JsonOption = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Zip the RUN* directories and store them now, without a worker, under the job's prefix."""
    using = adapters()
    stored = upload_results(
        using.jobs,
        using.runs,
        using.results,
        using.artifacts,
        job_id=job_id,
        run_id=run_id,
        results_dir=results_dir,
    )
    row = {
        "kind": stored.artifact.kind,
        "run_id": stored.artifact.run_id,
        "key": stored.object.key,
        "size": size_of(stored.object.size, exact=as_json),
        "sha256": stored.object.sha256,
        "links_left_out": stored.links_left_out,
    }
    show_rows([row], as_json=as_json, empty="")
