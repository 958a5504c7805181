"""What `artifacts batch preview` shows."""

import math
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from artifact_pipeline.domain.model.batches import BatchMode, Preview, PreviewGroup
from artifact_pipeline.domain.model.durations import duration
from artifact_pipeline.worker.cli.output import Count, Size, print_json, say, show_rows

_GROUP_COLUMNS = ("kind", "direction", "last_state", "members", "known_size", "stored", "requests")


def show_preview(
    preview: Preview, rate: float | None, *, as_json: bool, wide: bool = False
) -> None:
    """Print the preview of a batch.

    Args: `rate` in members per second.
    """
    if as_json:
        print_json(_json(preview, rate))
        return
    if not preview.members:
        say("no transfer matches the options")
        _show_skipped(preview)
        return
    batch = preview.batch
    say(
        f"snapshot {batch.id}: {preview.members:,} members, to be started until "
        f"{batch.expires_at:%Y-%m-%d %H:%M:%SZ}\n"
    )
    groups = [_group_row(group) for group in preview.groups]
    show_rows(groups, as_json=False, empty="", brief=_GROUP_COLUMNS, wide=wide)
    say()
    examples = [_example_row(example) for example in preview.examples]
    show_rows(examples, as_json=False, empty="", wide=wide)
    say()
    _show_skipped(preview)
    _show_cost(preview, rate)
    modes = ", ".join(f"--mode {mode} {preview.of_mode(mode):,}" for mode in BatchMode)
    say(f"members by mode: {modes}")
    say(f"nothing has changed yet. To start the batch:\n{start_command(preview, rate)}")


def start_command(preview: Preview, rate: float | None = None) -> str:
    """Return the command that starts the snapshot, in the first mode that has members."""
    mode = next(mode for mode in BatchMode if preview.of_mode(mode))
    by_default = mode is BatchMode.FAILED
    return (
        f'artifacts batch start {preview.batch.id} --reason "…"'
        f"{'' if by_default else f' --mode {mode}'}"
        f"{'' if rate is None else f' --rate {rate:g}/s'}"
    )


def _show_skipped(preview: Preview) -> None:
    for why, count in preview.left_out.items():
        say(f"left out: {count:,} {why}")
    if unmatched := preview.batch.filter.unmatched:
        say(f"left out: {unmatched:,} lines of the file that match nothing{_hint(preview)}")


def _hint(preview: Preview) -> str:
    filters = preview.batch.filter
    if filters.never_requested or filters.of_last_transfer:
        return ""
    # A line without a kind means only what was requested of its job or run.
    return "; --never-requested finds artifacts that were never requested"


def _show_cost(preview: Preview, rate: float | None) -> None:
    least, most = _requests(preview)
    say(f"requests to the store: {least:,} if all is unchanged, up to {most:,}")
    if rate is not None:
        say(f"at {rate:g}/s it takes {duration(_takes(preview, rate))}")


def _requests(preview: Preview) -> tuple[int, int]:
    return (
        sum(group.requests_at_least for group in preview.groups),
        sum(group.requests_at_most for group in preview.groups),
    )


def _takes(preview: Preview, rate: float) -> timedelta:
    return timedelta(seconds=math.ceil(preview.members / rate))


def _group_row(group: PreviewGroup) -> dict[str, Any]:
    return {
        "direction": group.direction,
        "kind": group.kind,
        "last_state": group.state or "never requested",
        "members": Count(group.members),
        "stored": Count(group.stored),
        "known_size": Size(group.known_bytes),
        "requests": f"{group.requests_at_least:,}–{group.requests_at_most:,}",  # noqa: RUF001 - a range
    }


def _example_row(example: Any) -> dict[str, Any]:  # noqa: ANN401 - a member
    return {
        "for_example": f"job {example.job_id}",
        "run_id": example.run_id,
        "kind": example.kind,
        "direction": example.direction,
        "user_id": example.user_id,
    }


def _json(preview: Preview, rate: float | None) -> dict[str, Any]:
    least, most = _requests(preview)
    return {
        "snapshot": preview.batch.id if preview.members else None,
        "expires_at": preview.batch.expires_at,
        "filter": preview.batch.filter.model_dump(mode="json", exclude_defaults=True),
        "members": preview.members,
        "modes": {mode.value: preview.of_mode(mode) for mode in BatchMode},
        "groups": [asdict(group) for group in preview.groups],
        "left_out": {why.value: count for why, count in preview.left_out.items()},
        "examples": [asdict(example) for example in preview.examples],
        "requests_at_least": least,
        "requests_at_most": most,
        "seconds": None if rate is None else _takes(preview, rate).total_seconds(),
    }
