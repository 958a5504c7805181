"""`artifacts workspaces`: workspaces with names."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from artifact_pipeline.domain.model.operator_actions import ActionName, action_reason
from artifact_pipeline.domain.model.workspaces import NamedWorkspace, workspace_name
from artifact_pipeline.worker.cli.lazy import group_app
from artifact_pipeline.worker.cli.options import (
    ActorOption,
    DryRunOption,
    JsonOption,
    ReasonOption,
    WideOption,
)
from artifact_pipeline.worker.cli.output import print_json, say, show_rows
from artifact_pipeline.worker.cli.quarantine import parse_age
from artifact_pipeline.worker.composition.operator import audited, database

if TYPE_CHECKING:
    from collections.abc import Collection

app = group_app("Workspaces with names: list them, or forget one that is gone for good.")

_COLUMNS = ("name", "workers", "seen", "due", "oldest", "active", "quarantined")


@app.command("list")
def list_workspaces(*, wide: WideOption = False, as_json: JsonOption = False) -> None:
    """List the workspaces with names: who serves them, and what waits for them.

    The exit status is 1 if transfers are due in one that no worker serves. With a broker through
    which workers cannot be asked, nothing is said of them.
    """
    from artifact_pipeline.worker.diagnosis.consumers import has_control, serving_workers  # noqa: PLC0415 - for the help
    from artifact_pipeline.worker.sql.named_workspaces import SqlNamedWorkspaces  # noqa: PLC0415 - the same

    workspaces = SqlNamedWorkspaces(database().engine)
    found, now = workspaces.all(), workspaces.now()
    app = _broker()
    is_known = has_control(app)
    serving = serving_workers(app)
    rows = [_row(each, serving.get(each.name, ()) if is_known else None, now) for each in found]
    empty = "no workspace has a name: all transfers are of the default workspace"
    show_rows(rows, as_json=as_json, empty=empty, brief=_COLUMNS, wide=wide)
    if is_known and any(row["due"] and not row["workers"] for row in rows):
        raise typer.Exit(1)


@app.command("forget")
def forget(  # noqa: PLR0913 - an argument for each option
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the workspace.")],
    *,
    grace: Annotated[
        timedelta,
        typer.Option(
            "--grace", parser=parse_age, metavar="AGE", help="Since its last sign of life: 30m, 2d."
        ),
    ] = "1h",  # type: ignore[assignment]  # its parser makes it one
    reason: ReasonOption = None,
    actor: ActorOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Give up what waits for a workspace whose files are gone for good.

    Its transfers are quarantined as `workspace_gone`, and its trees are forgotten. Refused while a
    worker serves it, or if one did within the grace period.
    """
    from artifact_pipeline.domain.errors import InvalidRequestError  # noqa: PLC0415 - for the help
    from artifact_pipeline.tasks.workspace_queues import forget_queues  # noqa: PLC0415 - the same
    from artifact_pipeline.worker.diagnosis.consumers import serving_workers  # noqa: PLC0415 - the same
    from artifact_pipeline.worker.sql.named_workspaces import SqlNamedWorkspaces  # noqa: PLC0415 - the same

    chosen, why = workspace_name(name) or "", action_reason(reason)
    workspaces = SqlNamedWorkspaces(database().engine, database().events)
    found = workspaces.check_unseen(chosen, grace)
    app = _broker()
    if workers := serving_workers(app).get(chosen):
        raise InvalidRequestError(
            f"the workspace {chosen} is served by {', '.join(workers)}: stop it first"
        )
    count = found.active
    if not dry_run:
        target = {"workspace": chosen}
        with audited(
            ActionName.WORKSPACES_FORGET, actor=actor, reason=why, target=target
        ) as action:
            count = workspaces.forget(chosen, action.id)
            forget_queues(chosen, app)
            action.came_to(f"{count} transfers are given up")
    if as_json:
        print_json({"workspace": chosen, "given_up": count, "dry_run": dry_run})
        return
    would = "would be" if dry_run else "are"
    say(
        f"the workspace {chosen} {'would be' if dry_run else 'is'} forgotten; {count} transfers"
        f" {would} quarantined as workspace_gone"
    )


def _broker() -> Any:  # noqa: ANN401 - an app of Celery's
    from artifact_pipeline.worker.diagnosis.broker import fail_fast_app  # noqa: PLC0415 - for the help
    from artifact_pipeline.worker.settings import BrokerSettings, load  # noqa: PLC0415 - the same

    return fail_fast_app(load(BrokerSettings).broker)


def _row(each: NamedWorkspace, workers: "Collection[str] | None", now: datetime) -> dict[str, Any]:
    seen = each.seen_at
    return {
        "name": each.name,
        "workers": None if workers is None else sorted(workers),
        "seen": None if seen is None else now - seen,
        "seen_at": seen,
        "active": each.active,
        "due": each.due,
        "oldest": None if each.since is None else now - each.since,
        "due_since": each.since,
        "quarantined": each.quarantined,
        "ids": list(each.ids),
        "added_at": each.added_at,
        "added_by": each.added_by,
    }
