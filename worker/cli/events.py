"""`artifacts events`: what waits for its delivery, and what its target refuses."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from artifact_pipeline.domain.model.operator_actions import ActionName
from artifact_pipeline.worker.cli.lazy import group_app
from artifact_pipeline.worker.cli.options import JsonOption, WideOption
from artifact_pipeline.worker.cli.output import note, print_json, say, show_rows
from artifact_pipeline.worker.composition.operator import audited, database

if TYPE_CHECKING:
    from artifact_pipeline.domain.model.queued_events import QueuedEvent
    from artifact_pipeline.worker.sql.event_outbox import SqlEventOutbox

app = group_app("Events that are not delivered yet: list, redeliver, discard.")

_COLUMNS = ("event", "type", "target", "attempts", "error", "job_id", "batch_id", "next_at", "time")
TargetOption = Annotated[
    str | None, typer.Option("--target", metavar="NAME", help="Only those for this target.")
]

EventArgument = Annotated[
    str | None, typer.Argument(metavar="[EVENT]", help="The id of one event.")
]
AllOption = Annotated[bool, typer.Option("--all", help="All events of all targets.")]
WhyOption = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why; it is kept.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """What a command does to events.

    Attributes:
        name: of the action, in the audit trail.
        key: of the number in JSON.
        result: what became of them, in the audit trail.
        text: what became of them, for people.
        of: returns the method of the outbox that does it.
    """

    name: str
    key: str
    result: str
    text: str
    of: Callable[["SqlEventOutbox"], Callable[..., int]]


_REDELIVER = _Change(
    name=ActionName.EVENTS_REDELIVER,
    key="redelivered",
    result="are due",
    text="events are delivered within seconds, if their target takes them",
    of=lambda outbox: outbox.redeliver,
)
_DISCARD = _Change(
    name=ActionName.EVENTS_DISCARD,
    key="discarded",
    result="are removed",
    text="events are removed, and are not delivered",
    of=lambda outbox: outbox.discard,
)


@app.command("list")
def list_events(
    *,
    refused: Annotated[
        bool, typer.Option("--refused", help="Only those that their target has refused.")
    ] = False,
    target: TargetOption = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many, oldest first.")] = 100,
    wide: WideOption = False,
    as_json: JsonOption = False,
) -> None:
    """List events that are not delivered yet, oldest first, and why the last delivery failed."""
    queued = _outbox().list(limit, refused=refused, target=target)
    rows = [_row(each) for each in queued]
    empty = "no event was refused" if refused else "no event waits for its delivery"
    show_rows(rows, as_json=as_json, empty=empty, brief=_COLUMNS, wide=wide)
    if len(rows) == limit:
        note("there may be more: --limit shows them")


@app.command("redeliver")
def redeliver(
    event: EventArgument = None,
    *,
    target: TargetOption = None,
    every: AllOption = False,
    reason: WhyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have events delivered at once: refused ones, and those that wait for their next attempt."""
    _do(_REDELIVER, event, target, every=every, reason=reason, as_json=as_json)


@app.command("discard")
def discard(
    event: EventArgument = None,
    *,
    target: TargetOption = None,
    every: AllOption = False,
    reason: WhyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove events that are not delivered, for good, such as events of a target that is gone."""
    _do(_DISCARD, event, target, every=every, reason=reason, as_json=as_json)


def _do(  # noqa: PLR0913 - the arguments of both commands
    change: _Change,
    event: str | None,
    target: str | None,
    *,
    every: bool,
    reason: str | None,
    as_json: bool,
) -> None:
    """Change events, keep that in the audit trail, and show how many."""
    about = _about(event, target, every=every)
    with audited(change.name, reason=reason, target=about) as action:
        number = change.of(_outbox())(event_id=event, target=target)
        action.came_to(f"{number} {change.result}")
    if as_json:
        print_json({change.key: number})
    else:
        say(f"{number:,} {change.text}")


def _about(event: str | None, target: str | None, *, every: bool) -> dict[str, str | None]:
    """Return what a command is about. Raises: typer.BadParameter: it was not said."""
    if event is None and target is None and not every:
        raise typer.BadParameter("give the id of an event, --target or --all")
    return {"event": event, "target": target}


def _outbox() -> "SqlEventOutbox":
    from artifact_pipeline.worker.sql.event_outbox import SqlEventOutbox  # noqa: PLC0415 - for the help

    return SqlEventOutbox(database().engine)


def _row(queued: "QueuedEvent") -> dict[str, Any]:
    event = queued.event
    return {
        "event": event.id,
        "type": event.type,
        "target": queued.target,
        "time": event.time,
        "job_id": event.job_id,
        "run_id": event.run_id,
        "kind": event.kind,
        "transfer": event.transfer_id,
        "batch_id": event.batch_id,
        "attempts": queued.attempts,
        "next_at": None if queued.refused_at else queued.next_attempt_at,
        "refused_at": queued.refused_at,
        "error": queued.last_error,
    }
