"""Questions to a broker whose user may lack the right to ask them."""

from collections.abc import Callable
from typing import Any

from redis.exceptions import ResponseError

from artifact_pipeline.tasks.broker_errors import error_text
from artifact_pipeline.worker.diagnosis.findings import Finding, warning

ACCESS_LISTS = "docs/operations/broker.md, Redis access lists"


def ask(question: Callable[..., Any], *arguments: Any) -> tuple[Any, ResponseError | None]:  # noqa: ANN401
    """Return the broker's answer, or its error: this user may lack the right to a command."""
    try:
        return question(*arguments), None
    except ResponseError as refused:
        return None, refused


def unseen(check: str, commands: str, refused: Exception | None, unknown: str) -> Finding:
    """Return the finding that this user may not see something.

    Args:
        check: its name.
        commands: that the check needs, separated by spaces.
        refused: the broker's answer to one of them.
        unknown: what cannot be said, as in "whether its clock is right".
    """
    rights = " ".join(f"+{command.lower()}" for command in commands.split())
    return warning(
        check,
        f"it does not answer {commands}: {error_text(refused or Exception())}",
        why=f"{unknown} cannot be checked with this user",
        fix=f"allow it for the operator's user ({rights}): {ACCESS_LISTS}",
    )
