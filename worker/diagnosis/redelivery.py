"""What redelivery needs of the broker: the right to run scripts, and a worker that restores."""

from typing import Any

from redis.exceptions import ResponseError

from artifact_pipeline.domain.errors import ConfigurationError
from artifact_pipeline.domain.redaction import redact
from artifact_pipeline.tasks.keys import own_client
from artifact_pipeline.worker.diagnosis.broker_answers import ask, unseen
from artifact_pipeline.worker.diagnosis.findings import Finding, error, ok, warning
from artifact_pipeline.worker.messages.held_messages import held_by_dead

_SCRIPTS = "broker scripts"
_HELD = "messages of dead workers"


def require_scripts(channel: Any) -> None:  # noqa: ANN401 - a kombu channel
    """Run a script on the broker, to see whether it is allowed.

    Raises: ConfigurationError: the broker does not let this user run a script.
    """
    refusal = _refusal(channel)
    if refusal:
        raise ConfigurationError(
            f"ARTIFACTS_BROKER_URL: EVAL is refused ({refusal}), and workers take each message by"
            " a script. Allow it: ACL SETUSER <user> +eval"
        )


def examine_redelivery(channel: Any) -> list[Finding]:  # noqa: ANN401 - a kombu channel
    """Examine the right to run scripts, and what dead workers still hold."""
    return [_scripts(channel), _held(channel)]


def _scripts(channel: Any) -> Finding:  # noqa: ANN401
    refusal = _refusal(channel)
    if not refusal:
        return ok(_SCRIPTS, "EVAL is allowed")
    return error(
        _SCRIPTS,
        f"EVAL is refused: {refusal}",
        why="workers take each message by a script, and do not start without that right",
        fix="redis-cli ACL SETUSER <user> +eval, and in the broker's ACL file",
    )


def _held(channel: Any) -> Finding:  # noqa: ANN401
    held, refused = ask(held_by_dead, channel, own_client(channel))
    if held is None:
        return unseen(_HELD, "ZRANGE HKEYS MGET", refused, "whether there are any")
    count = held.messages
    if not count:
        return ok(_HELD, "there are none")
    return warning(
        _HELD,
        f"{count} wait to be put back into their queues",
        why="a running worker does so within five seconds. A worker of an earlier version does so"
        " after the visibility timeout, or never",
        fix="if none of this version runs: artifacts messages restore",
    )


def _refusal(channel: Any) -> str | None:  # noqa: ANN401
    """Return why the broker refuses a script; None if it runs one."""
    try:
        channel.client.eval("return 1", 0)
    except ResponseError as refused:
        return redact(str(refused))
    return None
