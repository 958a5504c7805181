"""The table of `docs/reliability.md` that says what becomes of a failed attempt.

`python -m tests.docs.retry_table` writes it again, from what `domain.transfers.retry` decides.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path

import artifact_pipeline.worker.sql.errors  # noqa: F401 - its errors belong to the table
from artifact_pipeline.domain.errors import (
    LeaseLostError,
    PermanentError,
    PipelineError,
    TransferError,
    TransientError,
    UnexpectedError,
    WorkspaceUnavailableError,
)
from artifact_pipeline.domain.fakes import InMemoryEndpointFailures
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Claim, Direction
from artifact_pipeline.domain.reasons import ReasonCode
from artifact_pipeline.domain.transfers.circuit_breaker import Breaker
from artifact_pipeline.domain.transfers.circuits import (
    WORKSPACE_FAILURES,
    Circuit,
    store_circuit,
    workspace_circuit,
    writes_circuit,
)
from artifact_pipeline.domain.transfers.retry import (
    Decision,
    MessageDecision,
    Postpone,
    Quarantine,
    Retry,
    RetryPolicy,
    Stop,
    decide_message,
)

PAGE = Path(__file__).parents[2] / "docs/reliability.md"
_BEGIN, _END = "<!-- retry -->\n", "<!-- /retry -->\n"
_MAX_ATTEMPTS = 10
_S3_FAILURES = 5
_HEAD = (
    "error",
    "first attempt",
    "again in the next",
    "last attempt",
    "its resource is down",
    "no request in SQL",
)


def block(page: str) -> str:
    """Return what stands between the marks of the page."""
    return page.split(_BEGIN)[1].split(_END, maxsplit=1)[0]


def table() -> str:
    """Return the table in Markdown: errors with the same decisions share a row."""
    decided = [(_cells(error), error) for error in errors()]
    order = list(dict.fromkeys(cells for cells, _ in decided))
    rows = groupby(sorted(decided, key=lambda each: order.index(each[0])), lambda each: each[0])
    lines = [_HEAD, ("---",) * len(_HEAD), *(_row(cells, list(of)) for cells, of in rows)]
    return "\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n\n"


def errors() -> list[type[PipelineError]]:
    """Return the errors that can end an attempt, as the tree has them."""
    roots: Sequence[type[PipelineError]] = (LeaseLostError, TransferError)
    found: list[type[PipelineError]] = [LeaseLostError]
    found += [error for root in roots for error in _below(root)]
    categories = (TransientError, PermanentError)
    return [each for each in dict.fromkeys(found) if each not in categories]


def _below(error: type[PipelineError]) -> Iterator[type[PipelineError]]:
    for child in error.__subclasses__():
        if not child.__module__.startswith("tests."):
            yield child
            yield from _below(child)


def _row(
    cells: tuple[str, ...], of: Sequence[tuple[tuple[str, ...], type[PipelineError]]]
) -> tuple[str, ...]:
    names = [f"`{error.__name__}`" for _, error in of]
    if UnexpectedError in (error for _, error in of):
        names.append("every exception that is no error of the pipeline")
    return (", ".join(names), *cells)


def _cells(error: type[PipelineError]) -> tuple[str, ...]:
    down = _policy(is_down=True)
    reason = error.reason if issubclass(error, TransferError) else None
    decisions = (
        _policy().decide(_claim(), error()),
        _policy().decide(_claim(attempt=2, reason=reason), error()),
        _policy().decide(_claim(attempt=_MAX_ATTEMPTS), error()),
        down.decide(_claim(), error()),
    )
    return (*(_decided(each, reason) for each in decisions), _message(error))


def _decided(decision: Decision, reason: ReasonCode | None) -> str:
    match decision:
        case Stop(cancelled=cancelled):
            return "ends as cancelled" if cancelled else "ends, another has it"
        case Retry():
            return "retry"
        case Postpone(resource=None):
            return "wait, not counted"
        case Postpone(resource=resource):
            return f"wait for {resource}, not counted"
        case Quarantine(error=final):
            return "quarantine" + ("" if final.reason is reason else f" as `{final.reason}`")


def _message(error: type[PipelineError]) -> str:
    if issubclass(error, LeaseLostError):
        return ""  # only a claim can be lost
    is_sent_back = decide_message(error(), is_recorded=False) is MessageDecision.SEND_BACK
    return "message sent back" if is_sent_back else "task fails"


def _policy(*, is_down: bool = False) -> RetryPolicy:
    return RetryPolicy(max_attempts=_MAX_ATTEMPTS, circuits=_circuits(is_down=is_down))


def _circuits(*, is_down: bool) -> Sequence[Circuit]:
    def probe() -> None:
        if is_down:
            raise WorkspaceUnavailableError

    return (
        store_circuit(_breaker(1 if is_down else _S3_FAILURES), "S3"),
        writes_circuit(_breaker(WORKSPACE_FAILURES)),
        workspace_circuit(_breaker(WORKSPACE_FAILURES), probe),
    )


def _breaker(threshold: int) -> Breaker:
    failures = InMemoryEndpointFailures()
    return Breaker(failures, "resource", threshold=threshold, cool_off=timedelta(seconds=30))


def _claim(*, attempt: int = 1, reason: ReasonCode | None = None) -> Claim:
    # A download needs all the resources.
    return Claim(
        transfer_id=1,
        artifact=Artifact(ArtifactKind.JOB_CONFIG, 12),
        direction=Direction.DOWNLOAD,
        owner="worker-1",
        fence=1,
        attempt=attempt,
        requested_at=datetime(2026, 1, 1, tzinfo=UTC),
        lease=timedelta(minutes=1),
        reason_code=reason,
    )


def write() -> None:
    """Put the table between the marks of the page."""
    before, rest = PAGE.read_text().split(_BEGIN)
    PAGE.write_text(f"{before}{_BEGIN}{table()}{_END}{rest.split(_END)[1]}")


if __name__ == "__main__":
    write()
