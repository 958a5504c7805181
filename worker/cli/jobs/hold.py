"""`artifacts jobs hold`: jobs whose artifacts must stay as they are."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from artifact_pipeline.domain.model.operator_actions import ActionName, action_reason
from artifact_pipeline.worker.cli.lazy import group_app
from artifact_pipeline.worker.cli.options import (
    ActorOption,
    JobArgument,
    JobIdOption,
    JsonOption,
    WideOption,
    the_job,
)
from artifact_pipeline.worker.cli.output import note, print_json, say, show_rows, where
from artifact_pipeline.worker.composition.operator import adapters, audited, database

if TYPE_CHECKING:
    from artifact_pipeline.domain.catalog.hold_job import HeldObjects, HoldJob

app = group_app("Legal holds: jobs whose artifacts must stay as they are.")

ReasonOption = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept and shown.")
]


@app.command("set")
def set_hold(
    job: JobArgument = None,
    *,
    reason: ReasonOption,
    job_id: JobIdOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a job on legal hold: nothing deletes, archives or moves its artifacts until a release.

    Each version of its objects is locked too if the bucket has Object Lock. Run it again to lock
    what was stored since. The exit status is 1 if the store refused a lock.
    """
    asked, why = the_job(job, job_id), action_reason(reason, needed_for="a legal hold") or ""
    using = adapters()
    using.jobs.get(asked)
    with audited(ActionName.HOLD_SET, actor=actor, reason=why, job_id=asked) as action:
        is_new, done = _hold_job().set(asked, action.actor, why)
        action.came_to(_in_words(done, "locked"), has_failures=done.has_failures)
    said = "is on legal hold" if is_new else "was on legal hold already"
    _show(asked, said, done, is_held=True, as_json=as_json)


@app.command("release")
def release(
    job: JobArgument = None,
    *,
    reason: ReasonOption,
    job_id: JobIdOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a job's legal hold, also of its objects if the bucket has Object Lock."""
    asked, why = the_job(job, job_id), action_reason(reason, needed_for="the end of a hold")
    with audited(ActionName.HOLD_RELEASE, actor=actor, reason=why, job_id=asked) as action:
        was_held, done = _hold_job().release(asked)
        action.came_to(_in_words(done, "released"), has_failures=done.has_failures)
    said = "is not on legal hold any more" if was_held else "was not on legal hold"
    _show(asked, said, done, is_held=False, as_json=as_json)


@app.command("list")
def list_holds(*, wide: WideOption = False, as_json: JsonOption = False) -> None:
    """List the jobs on legal hold: who, when, why."""
    rows = [asdict(hold) for hold in database().legal_holds.all()]
    show_rows(rows, as_json=as_json, empty="no job is on legal hold", wide=wide)


def _hold_job() -> "HoldJob":
    from artifact_pipeline.domain.catalog.hold_job import HoldJob  # noqa: PLC0415 - for the help

    using = adapters()
    return HoldJob(holds=using.legal_holds, versions=using.versions)


def _show(job_id: int, said: str, done: "HeldObjects", *, is_held: bool, as_json: bool) -> None:
    if as_json:
        print_json(_row(job_id, done, is_held=is_held))
    else:
        say(f"job {job_id} {said}; {_in_words(done, 'locked' if is_held else 'released')}")
    for version, error in done.failed:
        note(f"{where(version.address)}: {error}")
    if done.has_failures:
        raise typer.Exit(1)


def _row(job_id: int, done: "HeldObjects", *, is_held: bool) -> dict[str, Any]:
    return {
        "job_id": job_id,
        "is_held": is_held,
        "has_object_lock": done.has_lock,
        "changed": done.changed,
        "failed": len(done.failed),
        "error": None if done.refusal is None else str(done.refusal),
    }


def _in_words(done: "HeldObjects", verb: str) -> str:
    if done.refusal is not None:
        return f"whether the store has Object Lock is not known: {done.refusal}"
    if not done.has_lock:
        return "the store has no Object Lock: only commands of the pipeline keep to it"
    failed = f", {len(done.failed)} refused" if done.failed else ""
    return f"versions of objects {verb}: {done.changed}{failed}"
