"""`artifacts db`: the database."""

import sys
from datetime import timedelta
from typing import Annotated

import typer

from artifact_pipeline.worker.cli.confirmation import confirm
from artifact_pipeline.worker.cli.lazy import group_app
from artifact_pipeline.worker.cli.options import (
    ActorOption,
    DryRunOption,
    JsonOption,
    ReasonOption,
    WideOption,
    refuse_dry_run_with_yes,
)
from artifact_pipeline.worker.cli.output import note, say
from artifact_pipeline.worker.cli.quarantine import parse_age
from artifact_pipeline.worker.composition.operator import database

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

app = group_app(
    "Create and update the pipeline's tables, delete old rows from them, or rebuild them."
)


@app.command("upgrade")
def upgrade_command(
    *,
    with_platform_tables: Annotated[
        bool,
        typer.Option(
            "--with-platform-tables",
            help="Create missing tables jobs and runs, for a demo or tests. "
            "The platform's own migrations fail afterwards.",
        ),
    ] = False,
) -> None:
    """Create or update the pipeline's tables, and do not change the platform's."""
    from artifact_pipeline.worker.sql.migrate import upgrade  # noqa: PLC0415 - the help needs no Alembic

    sql = database(makes_file=True)
    upgrade(sql.engine, with_platform_tables=with_platform_tables)
    say("the database is up to date")


@app.command("prune")
def prune(  # noqa: PLR0913 - an argument for each option
    *,
    older_than: Annotated[
        timedelta | None,
        typer.Option(
            "--older-than",
            parser=parse_age,
            metavar="AGE",
            help="Ended so long ago, such as 90d. By default ARTIFACTS_HISTORY_DAYS.",
        ),
    ] = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    reason: ReasonOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete transfers, batches and dead letters that ended long ago.

    What is active or in quarantine stays, and so does the last transfer of each artifact and
    direction. On a terminal it shows the rows first and asks.
    """
    from artifact_pipeline.worker.cli.prune import Prune, show  # noqa: PLC0415 - the help needs no SQL

    work = Prune(older_than)
    asks = sys.stdin.isatty() and not (yes or dry_run)
    if dry_run or asks:
        show(work.count(), as_json=as_json and dry_run)
    if dry_run:
        return
    if asks:
        _ask("Delete these rows?")
    show(work(actor=actor, reason=reason), as_json=as_json)


def _ask(question: str) -> None:
    """Ask, and end the command if the answer is no."""
    if not confirm(question):
        note("nothing was changed")
        raise typer.Exit(1)


@app.command("rebuild")
def rebuild(  # noqa: PLR0913 - an argument for each option
    *,
    merge: Annotated[
        bool,
        typer.Option(
            "--merge",
            help="The database may have artifacts: record those that it lacks, and change none.",
        ),
    ] = False,
    deep: Annotated[
        bool,
        typer.Option("--deep", help="Read the bytes of objects whose SHA-256 nothing says."),
    ] = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    reason: ReasonOption = None,
    actor: ActorOption = None,
    wide: WideOption = False,
    as_json: JsonOption = False,
) -> None:
    """Record again every artifact that the store has, in a database that has lost them.

    It reads the manifests, and looks at artifacts that no manifest lists. It changes no row. On a
    terminal it asks first. A killed rebuild continues. The exit status is 1 if something could not
    be recorded.
    """
    from artifact_pipeline.worker.cli.rebuild import Rebuild, show_outcome  # noqa: PLC0415 - the help needs no SQL

    refuse_dry_run_with_yes(dry_run=dry_run, yes=yes)
    work = Rebuild(merges=merge, reads_bytes=deep)
    work.check()
    if sys.stdin.isatty() and not (yes or dry_run):
        _ask(f"Record the artifacts of {work.store} in this database?")
    outcome = work.count() if dry_run else work(actor=actor, reason=reason)
    show_outcome(outcome, dry_run=dry_run, wide=wide, as_json=as_json)
    if outcome.faults:
        raise typer.Exit(1)
