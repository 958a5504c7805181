"""`artifacts retention`: rules that archive and delete artifacts by their age."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from artifact_pipeline.domain.errors import NotFoundError
from artifact_pipeline.domain.model.operator_actions import ActionName, action_reason
from artifact_pipeline.worker.cli.batch.options import UsersOption
from artifact_pipeline.worker.cli.confirmation import is_confirmed
from artifact_pipeline.worker.cli.lazy import group_app
from artifact_pipeline.worker.cli.options import (
    ActorOption,
    DryRunOption,
    JsonOption,
    WideOption,
    refuse_dry_run_with_yes,
)
from artifact_pipeline.worker.cli.output import note, print_json, say, show_rows
from artifact_pipeline.worker.cli.retention.options import (
    ArchiveAfterOption,
    DeleteAfterOption,
    KeepForeverOption,
    KeepLatestOption,
    KindsOption,
    NameArgument,
    OptionalNameArgument,
    StorageClassOption,
    TagsOption,
    WhyOption,
    rule_of,
)
from artifact_pipeline.worker.composition.operator import adapters, audited, database

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from artifact_pipeline.domain.model.retention import RecordedRule
    from artifact_pipeline.worker.cli.retention.report import Preview
    from artifact_pipeline.worker.sql.retention_rules import SqlRetentionRules

app = group_app("Rules that archive and delete artifacts by their age: set, preview, apply.")

_COLUMNS = (
    *("name", "archive_after", "delete_after", "kinds", "tags", "user_ids", "keep_latest"),
    *("storage_class", "set_by", "reason", "set_at"),
)
_NO_RULES = "there are no retention rules: all artifacts are kept"
ApplyReasonOption = Annotated[
    str | None,
    typer.Option("--reason", metavar="TEXT", help="Why; by default the names of the rules."),
]


@app.command("set")
def set_rule(  # noqa: PLR0913 - an argument for each option
    name: NameArgument,
    *,
    reason: WhyOption,
    kind: KindsOption = None,
    tag: TagsOption = None,
    user_id: UsersOption = None,
    archive_after: ArchiveAfterOption = None,
    storage_class: StorageClassOption = None,
    delete_after: DeleteAfterOption = None,
    keep_latest: KeepLatestOption = None,
    keep_forever: KeepForeverOption = False,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a rule, or replace the one of this name. It does nothing before `apply`.

    It is about artifacts that fit each selector: one of the kinds, all of the tags, one of the
    users. Ages count from when an artifact was recorded. Of several rules about an artifact, the
    one that keeps it longest counts.
    """
    rule = rule_of(
        name=name,
        kinds=tuple(dict.fromkeys(kind or ())),
        tags=tuple(dict.fromkeys(tag or ())),
        user_ids=tuple(dict.fromkeys(user_id or ())),
        archive_after=archive_after,
        storage_class=storage_class,
        delete_after=delete_after,
        keep_latest=keep_latest,
        keep_forever=keep_forever,
    )
    why = action_reason(reason, needed_for="a retention rule") or ""
    target = {"rule": name, "is": str(rule)}
    with audited(ActionName.RETENTION_SET, actor=actor, reason=why, target=target) as action:
        is_new = _rules().set(rule, action.actor, why)
        action.came_to("added" if is_new else "replaced")
    if as_json:
        print_json(_row(next(each for each in _rules().all() if each.name == name)))
    else:
        say(f"rule {name} was {'added' if is_new else 'replaced'}: {rule}")
        note("it does nothing before `artifacts retention apply`; `preview` shows what it would do")


@app.command("list")
def list_rules(*, wide: WideOption = False, as_json: JsonOption = False) -> None:
    """List the rules: what each is about, what it does, who set it, when and why."""
    rows = [_row(rule) for rule in _rules().all()]
    show_rows(rows, as_json=as_json, empty=_NO_RULES, brief=_COLUMNS, wide=wide)


@app.command("remove")
def remove_rule(
    name: NameArgument,
    *,
    reason: WhyOption,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove a rule. Artifacts that no other rule is about are kept from now on."""
    why = action_reason(reason, needed_for="the removal of a retention rule")
    known = {rule.name: rule for rule in _rules().all()}
    _refuse_unknown(name, known)
    target = {"rule": name, "was": str(known[name])}
    with audited(ActionName.RETENTION_REMOVE, actor=actor, reason=why, target=target) as action:
        is_removed = _rules().remove(name)
        action.came_to("removed" if is_removed else "was removed already")
    if as_json:
        print_json({"name": name, "is_removed": is_removed})
    else:
        say(f"rule {name} was removed")


@app.command("preview")
def preview_rules(
    name: OptionalNameArgument = None, *, wide: WideOption = False, as_json: JsonOption = False
) -> None:
    """Show what the rules would archive and delete now, by kind and month, and what it saves.

    With NAME, only artifacts that this rule is about. The other rules still keep what they keep.
    """
    rules = _rules().all()
    if name is not None:
        _refuse_unknown(name, [rule.name for rule in rules])
    _previewed(rules, name).show(as_json=as_json, wide=wide)


@app.command("apply")
def apply_rules(  # noqa: PLR0913 - an argument for each option
    *,
    dry_run: DryRunOption = False,
    yes: Annotated[bool, typer.Option("--yes", help="Archive and delete without asking.")] = False,
    reason: ApplyReasonOption = None,
    actor: ActorOption = None,
    wide: WideOption = False,
    as_json: JsonOption = False,
) -> None:
    """Archive and delete what the rules say.

    Without --yes it shows the preview, and asks on a terminal. Jobs on legal hold are left. Given
    again, it continues. The exit status is 1 if an artifact could not be archived or deleted.
    """
    refuse_dry_run_with_yes(dry_run=dry_run, yes=yes)
    if not yes and not _is_confirmed(dry_run=dry_run, wide=wide, as_json=as_json):
        return
    _carry_out(reason, actor, as_json=as_json, wide=wide)


def _is_confirmed(*, dry_run: bool, wide: bool, as_json: bool) -> bool:
    found = _previewed(_rules().all())
    found.show(as_json=as_json, wide=wide)
    if not found.total:
        return False
    return is_confirmed(
        f"Archive or delete {found.total:,} artifacts?",
        dry_run=dry_run,
        otherwise="nothing was archived or deleted; give --yes to do it",
    )


def _carry_out(reason: str | None, actor: str | None, *, as_json: bool, wide: bool) -> None:
    from artifact_pipeline.domain.model.retention_results import RetentionResult  # noqa: PLC0415 - for the help
    from artifact_pipeline.worker.cli.retention.report import show_result  # noqa: PLC0415
    from artifact_pipeline.worker.composition.retention import apply_retention  # noqa: PLC0415

    why, apply = action_reason(reason), apply_retention(adapters())
    names = [rule.name for rule in apply.rules.all()]
    if not names:
        note(_NO_RULES)
        show_result(RetentionResult(), as_json=as_json, wide=wide)
        return
    target = {"rules": names}
    with audited(ActionName.RETENTION_APPLY, actor=actor, reason=why, target=target) as action:
        result = apply.everything(action, why)
        action.came_to(str(result), has_failures=bool(result.refused))
    show_result(result, as_json=as_json, wide=wide)
    if result.refused:
        raise typer.Exit(1)


def _previewed(rules: "Sequence[RecordedRule]", name: str | None = None) -> "Preview":
    from artifact_pipeline.domain.maintenance.retention import preview  # noqa: PLC0415 - for the help
    from artifact_pipeline.worker.cli.retention.report import Preview  # noqa: PLC0415
    from artifact_pipeline.worker.composition.retention import due_artifacts, read_prices  # noqa: PLC0415
    from artifact_pipeline.worker.settings import RetentionSettings, load  # noqa: PLC0415

    # First: a wrong file must not show only after all rows were read.
    found = Preview(read_prices(load(RetentionSettings)), has_rules=bool(rules))
    for amounts in preview(due_artifacts(database()), rules, name):
        found.add(amounts)
    return found


def _rules() -> "SqlRetentionRules":
    from artifact_pipeline.worker.sql.retention_rules import SqlRetentionRules  # noqa: PLC0415 - for the help

    return SqlRetentionRules(database().engine)


def _refuse_unknown(name: str, names: "Collection[str]") -> None:
    if name not in names:
        known = ", ".join(sorted(names)) or "none"
        raise NotFoundError(f"there is no retention rule {name!r}; there are: {known}")


def _row(rule: "RecordedRule") -> dict[str, Any]:
    row = asdict(rule)
    row["storage_class"] = row.pop("tier_name")
    lists = {key: list(row[key]) for key in ("kinds", "tags", "user_ids")}
    return {**row, **lists}
