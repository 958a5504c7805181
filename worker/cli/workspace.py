"""`artifacts workspace`: the directory tree that producers and workers share."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from artifact_pipeline.worker.cli.lazy import group_app
from artifact_pipeline.worker.cli.options import JsonOption
from artifact_pipeline.worker.cli.output import print_json, say
from artifact_pipeline.worker.composition.operator import database, this_user

if TYPE_CHECKING:
    from artifact_pipeline.worker.settings import WorkspaceSettings

app = group_app("The directory tree that producers and workers share.")


@app.command("init")
def init(
    *,
    adopt: Annotated[
        bool,
        typer.Option("--adopt", help="It is the workspace now; those known before are forgotten."),
    ] = False,
    add: Annotated[
        bool,
        typer.Option("--add", help="It is one more workspace, as of a host without the share."),
    ] = False,
) -> None:
    """Mark ARTIFACTS_WORKSPACE as the workspace, so that workers read and write nothing else.

    Run it once, where the share is mounted and can be written. Run again, it changes nothing.
    """
    from artifact_pipeline.worker.settings import WorkspaceSettings, load  # noqa: PLC0415 - for the help
    from artifact_pipeline.worker.sql.workspaces import SqlWorkspaces, described  # noqa: PLC0415 - the same
    from artifact_pipeline.worker.workspace.initialization import Others, initialize  # noqa: PLC0415 - the same

    if adopt and add:
        raise typer.BadParameter("--adopt forgets other workspaces, --add keeps them: give one")
    settings = load(WorkspaceSettings)
    directory, name = settings.workspace, settings.workspace_name
    others = Others.REPLACE if adopt else Others.KEEP if add else Others.REFUSE
    workspaces = SqlWorkspaces(database().engine, this_user(), name)
    workspace_id = initialize(directory, workspaces, others)
    named = "the workspace" if name is None else f"{described(name)}:"
    say(f"{directory} is {named} {workspace_id}")


@app.command("show")
def show(*, as_json: JsonOption = False) -> None:
    """Show path, id and verdict; the exit status is 1 if workers would not use it."""
    from artifact_pipeline.worker.settings import WorkspaceSettings, load  # noqa: PLC0415 - for the help

    found = _found(load(WorkspaceSettings))
    if as_json:
        print_json(found)
    else:
        for name in ("path", "name", "id", "known", "verdict", "wrong"):
            if found[name]:
                value = found[name]
                say(f"{name:9}{', '.join(value) if isinstance(value, list) else value}")
    raise typer.Exit(0 if found["is_usable"] else 1)


def _found(settings: "WorkspaceSettings") -> dict[str, Any]:
    from artifact_pipeline.domain.errors import WorkspaceUnavailableError  # noqa: PLC0415 - for the help
    from artifact_pipeline.worker.sql.workspaces import SqlWorkspaces  # noqa: PLC0415 - the same
    from artifact_pipeline.worker.workspace.identity import look_at, opened_root  # noqa: PLC0415 - the same

    directory, name = settings.workspace, settings.workspace_name
    known = SqlWorkspaces(database().engine, name=name).known()
    found: dict[str, Any] = {"path": str(directory), "name": name, "id": None}
    found["known"] = sorted(known or ())
    try:
        with opened_root(directory) as root:
            look = look_at(root, known)
    except WorkspaceUnavailableError as away:
        return {**found, "verdict": "away", "is_usable": False, "wrong": str(away)}
    return {
        **found,
        "id": look.marked,
        "verdict": look.verdict,
        "is_usable": look.verdict.is_usable,
        "wrong": look.wrong,
    }
