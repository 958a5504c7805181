"""`artifacts messages`: messages that workers refused, or that dead workers held."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from artifact_pipeline.domain.errors import ConfigurationError, NotFoundError
from artifact_pipeline.worker.cli.lazy import group_app
from artifact_pipeline.worker.cli.options import JsonOption, WideOption
from artifact_pipeline.worker.cli.output import note, plain, print_json, say, show_rows

if TYPE_CHECKING:
    from celery import Celery

    from artifact_pipeline.tasks.dead_letters import DeadLetter

app = group_app("Messages that workers refused or dead workers held.")

_COLUMNS = ("id", "at", "queue", "reason", "task", "job_id", "run_id")
_MOST = 1_000

IdsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="ID", help="As `list` shows it; repeatable.")
]


@app.command("list")
def list_messages(
    *,
    limit: Annotated[int, typer.Option(min=1, max=_MOST, help="How many, newest first.")] = 100,
    wide: WideOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show the refused messages, the newest first; the broker keeps the last 1,000."""
    letters = _read(limit)
    rows = [asdict(letter) for letter in letters]
    show_rows(rows, as_json=as_json, empty="no refused messages", brief=_COLUMNS, wide=wide)


@app.command("show")
def show(
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="As `list` shows it.")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Show all that is kept of one refused message. Its body is not kept."""
    found = [letter for letter in _read(_MOST) if letter.id == letter_id]
    if not found:
        raise _not_found(letter_id)
    fields = asdict(found[0])
    if as_json:
        print_json(fields)
        return
    for name, value in fields.items():
        say(f"{name:12}{'-' if value is None else plain(value)}")


@app.command("discard")
def discard(
    ids: IdsArgument = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete the notes of refused messages, once their sender is corrected."""
    from artifact_pipeline.tasks.dead_letters import discard_dead_letters  # noqa: PLC0415 - for the help
    from artifact_pipeline.tasks.publish import broker_channel  # noqa: PLC0415

    if bool(ids) is every:
        raise typer.BadParameter("give the ids of messages, or --all for all of them")
    with broker_channel(_broker()) as channel:
        count = discard_dead_letters(channel, None if every else set(ids or ()))
    if as_json:
        print_json({"discarded": count})
    else:
        say(f"{count} are discarded")
    if ids and count < len(set(ids)):
        note(f"{len(set(ids)) - count} of the ids are no refused messages")


@app.command("restore")
def restore(*, as_json: JsonOption = False) -> None:
    """Put back into their queues the messages that dead workers held.

    Running workers do this themselves; use it where only workers of an earlier version are left.
    """
    from artifact_pipeline.tasks.publish import broker_channel  # noqa: PLC0415 - for the help
    from artifact_pipeline.worker.messages.redis_channel import redelivering_channels  # noqa: PLC0415

    with redelivering_channels(), broker_channel(_broker()) as channel:
        if not hasattr(channel, "requeue_dead"):
            raise ConfigurationError("this broker itself delivers again what dead workers held")
        count = channel.requeue_dead()
    if as_json:
        print_json({"restored": count})
    else:
        say(f"{count} are back in their queues")


def _read(limit: int) -> "list[DeadLetter]":
    from artifact_pipeline.tasks.dead_letters import dead_letters  # noqa: PLC0415 - for the help
    from artifact_pipeline.tasks.publish import broker_channel  # noqa: PLC0415

    with broker_channel(_broker()) as channel:
        return dead_letters(channel, limit)


def _broker() -> "Celery":
    from artifact_pipeline.worker.diagnosis.broker import fail_fast_app  # noqa: PLC0415 - for the help
    from artifact_pipeline.worker.settings import BrokerSettings, load  # noqa: PLC0415

    return fail_fast_app(load(BrokerSettings).broker)


def _not_found(letter_id: str) -> NotFoundError:
    return NotFoundError(
        f"no refused message has the id {letter_id!r}. `artifacts messages list` shows them"
    )
