"""`artifacts batch`: many transfers asked for together, after a look at what they would be."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from artifact_pipeline.domain.model.batches import MAX_IN_FLIGHT, Batch, BatchMode, BatchPriority
from artifact_pipeline.domain.model.bounded import MAX_ROW_ID
from artifact_pipeline.domain.model.operator_actions import ActionName
from artifact_pipeline.worker.cli.batch.controls import (
    BetweenOption,
    BytesOption,
    InFlightOption,
    NoBetweenOption,
    PriorityOption,
    RateOption,
    ZoneOption,
    pace_of,
    target_of,
    window,
)
from artifact_pipeline.worker.cli.batch.options import (
    CreatedAfterOption,
    CreatedBeforeOption,
    DirectionsOption,
    FailedAfterOption,
    FailedBeforeOption,
    FileOption,
    IncludeStoredOption,
    JobsOption,
    KindsOption,
    NeverRequestedOption,
    ReasonsOption,
    RunsOption,
    StatesOption,
    TagsOption,
    UsersOption,
    filter_of,
    listed_in,
)
from artifact_pipeline.worker.cli.batch.preview import show_preview
from artifact_pipeline.worker.cli.batch.report import ReportFormat, write_report
from artifact_pipeline.worker.cli.batch.status import progress_row, show_progress, watch
from artifact_pipeline.worker.cli.lazy import group_app
from artifact_pipeline.worker.cli.options import (
    JsonOption,
    ReasonOption,
    TimeoutOption,
    WideOption,
    refuse_timeout_alone,
)
from artifact_pipeline.worker.cli.output import print_json, say, show_rows
from artifact_pipeline.worker.cli.paths import parse_file
from artifact_pipeline.worker.composition.operator import (
    audited,
    batches,
    target_of_events,
    this_user,
)

app = group_app("Run many transfers again: preview, start, watch, pause, report.")

_COLUMNS = ("batch", "state", "members", "reason", "requested_at", "mode", "by")

BatchArgument = Annotated[
    int, typer.Argument(min=1, max=MAX_ROW_ID, metavar="BATCH", help="The batch's id.")
]
NotifyOption = Annotated[
    str | None,
    typer.Option("--notify", metavar="NAME", help="A target of events that hears of its end."),
]


@app.command("preview")
def preview(  # noqa: PLR0913 - an argument for each option
    *,
    job_id: JobsOption = None,
    run_id: RunsOption = None,
    user_id: UsersOption = None,
    kind: KindsOption = None,
    direction: DirectionsOption = None,
    state: StatesOption = None,
    reason_code: ReasonsOption = None,
    tag: TagsOption = None,
    created_after: CreatedAfterOption = None,
    created_before: CreatedBeforeOption = None,
    failed_after: FailedAfterOption = None,
    failed_before: FailedBeforeOption = None,
    from_file: FileOption = None,
    never_requested: NeverRequestedOption = False,
    include_stored: IncludeStoredOption = False,
    rate: RateOption = None,
    expires_in: Annotated[
        float, typer.Option("--expires-hours", min=0.01, max=168, help="Of the snapshot.")
    ] = 24,
    wide: WideOption = False,
    as_json: JsonOption = False,
) -> None:
    """Freeze matching artifacts as a snapshot, and show what a batch of them would do.

    Without a filter it is everything that was ever requested. Running transfers are left out,
    and so are uploads without a file in the workspace, if ARTIFACTS_WORKSPACE is set.
    """
    filters = filter_of(
        job_ids=job_id,
        run_ids=run_id,
        user_ids=user_id,
        kinds=kind,
        directions=direction,
        states=state,
        reasons=reason_code,
        tags=tag,
        created_after=created_after,
        created_before=created_before,
        failed_after=failed_after,
        failed_before=failed_before,
        never_requested=never_requested,
        include_stored=include_stored,
    )
    shown = batches().preview(
        filters,
        requested_by=this_user(),
        expires_in=timedelta(hours=expires_in),
        listed=None if from_file is None else listed_in(from_file),
    )
    show_preview(shown, rate or None, as_json=as_json, wide=wide)
    if not shown.members:
        raise typer.Exit(1)


@app.command("start")
def start(  # noqa: PLR0913 - an argument for each option
    batch_id: BatchArgument,
    *,
    reason: Annotated[str, typer.Option("--reason", help="The reason; it is kept.")],
    mode: Annotated[
        BatchMode,
        typer.Option(help="Members that failed, whose artifact is missing, or all of them."),
    ] = BatchMode.FAILED,
    rate: RateOption = None,
    max_in_flight: InFlightOption = None,
    bytes_per_second: BytesOption = None,
    between: BetweenOption = None,
    timezone: ZoneOption = None,
    priority: PriorityOption = None,
    force: Annotated[bool, typer.Option("--force", help="Send unchanged bytes again.")] = False,
    notify: NotifyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Start a batch: have exactly the members of a snapshot transferred."""
    hours, told = window(between, timezone), notify and target_of_events(notify)
    target = {"mode": mode, "rate": rate, "between": hours and str(hours), "is_forced": force}
    with audited(ActionName.BATCH_START, reason=reason, batch_id=batch_id, target=target) as action:
        started = batches().start(
            batch_id,
            requested_by=this_user(),
            reason=reason,
            mode=mode,
            rate=rate or None,
            max_in_flight=max_in_flight or MAX_IN_FLIGHT,
            is_forced=force,
            notify=told,
            bytes_per_second=bytes_per_second or None,
            between=hours,
            priority=priority or BatchPriority.NORMAL,
            action_id=action.id,
        )
    _show(started, f"batch {batch_id} is running: {started.members:,} members", as_json=as_json)


@app.command("status")
def status(
    batch_id: BatchArgument,
    *,
    watching: Annotated[bool, typer.Option("--watch", help="Wait until it has ended.")] = False,
    timeout: TimeoutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show its progress. After --timeout the exit status is 1, and the batch is not changed."""
    refuse_timeout_alone(timeout, "--watch", waits=watching)
    using, late = batches(), None
    if watching:
        progress, late = watch(using, batch_id, timeout)
    else:
        progress = using.progress(batch_id)
    show_progress(progress, as_json=as_json)
    if late:
        raise late


@app.command("list")
def list_batches(
    *,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, newest first.")] = 20,
    wide: WideOption = False,
    as_json: JsonOption = False,
) -> None:
    """List the newest batches and snapshots: who, when, why."""
    rows = [progress_row(batch) for batch in batches().newest(limit)]
    show_rows(rows, as_json=as_json, empty="there are no batches yet", brief=_COLUMNS, wide=wide)


@app.command("pause")
def pause(
    batch_id: BatchArgument, *, reason: ReasonOption = None, as_json: JsonOption = False
) -> None:
    """Stop releasing members; what is under way is finished."""
    with audited(ActionName.BATCH_PAUSE, reason=reason, batch_id=batch_id):
        changed = batches().pause(batch_id)
    _show(changed, f"batch {batch_id} is paused", as_json=as_json)


@app.command("resume")
def resume(
    batch_id: BatchArgument, *, reason: ReasonOption = None, as_json: JsonOption = False
) -> None:
    """Continue a paused batch."""
    with audited(ActionName.BATCH_RESUME, reason=reason, batch_id=batch_id):
        changed = batches().resume(batch_id)
    _show(changed, f"batch {batch_id} is running", as_json=as_json)


@app.command("change")
def change(  # noqa: PLR0913 - an argument for each option
    batch_id: BatchArgument,
    rate: RateOption = None,
    max_in_flight: InFlightOption = None,
    *,
    bytes_per_second: BytesOption = None,
    between: BetweenOption = None,
    timezone: ZoneOption = None,
    no_between: NoBetweenOption = False,
    priority: PriorityOption = None,
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change pace, hours or priority, from the next dispatch on."""
    pace = pace_of(
        rate=rate,
        max_in_flight=max_in_flight,
        bytes_per_second=bytes_per_second,
        between=window(between, timezone, none=no_between),
        priority=priority,
    )
    with audited(ActionName.BATCH_CHANGE, reason=reason, batch_id=batch_id, target=target_of(pace)):
        changed = batches().change(batch_id, **pace)
    _show(changed, f"batch {batch_id} has another pace", as_json=as_json)


@app.command("cancel")
def cancel(
    batch_id: BatchArgument, *, reason: ReasonOption = None, as_json: JsonOption = False
) -> None:
    """End the batch: release no more members, and stop those that run."""
    using = batches()
    with audited(ActionName.BATCH_CANCEL, reason=reason, batch_id=batch_id) as action:
        cancelled = using.cancel(batch_id)
        action.came_to(f"{cancelled} were under way")
    line = f"batch {batch_id} is cancelled; {cancelled:,} were under way"
    _show(using.get(batch_id), line, as_json=as_json)


@app.command("report")
def report(
    batch_id: BatchArgument,
    output_format: Annotated[
        ReportFormat, typer.Option("--format", help="csv, or json: one object in each line.")
    ] = ReportFormat.CSV,
    output: Annotated[
        Path | None,
        typer.Option("--output", parser=parse_file, metavar="FILE", help="By default printed."),
    ] = None,
) -> None:
    """List every member, with its outcome and reason."""
    using = batches()
    using.get(batch_id)  # before a file is emptied for it, or a heading printed
    write_report(using.members(batch_id), output_format, output)


def _show(batch: Batch, line: str, *, as_json: bool) -> None:
    if as_json:
        print_json(progress_row(batch))
    else:
        say(line)
