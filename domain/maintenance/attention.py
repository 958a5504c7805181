"""The rule which parts of the pipeline need an operator, and the command that helps."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from artifact_pipeline.domain.maintenance.pipeline_status import (
    EXPIRED_LATE_AFTER,
    LATE_AFTER,
    WINDOWS,
    BrokerStatus,
    Phase,
    PipelineStatus,
    count,
    first,
)
from artifact_pipeline.domain.maintenance.problems import Problem as Problem  # noqa: PLC0414 - re-exported
from artifact_pipeline.domain.maintenance.problems import ProblemCode as ProblemCode  # noqa: PLC0414 - re-exported
from artifact_pipeline.domain.maintenance.problems import plural, problems_of_events
from artifact_pipeline.domain.model.durations import age

# A dispatch ends every few seconds; a longer pause than this is no accident.
DISPATCH_LATE_AFTER = timedelta(minutes=1)
# Long enough for the restart of a queue's only worker.
STANDSTILL_AFTER = timedelta(minutes=1)
_LONGEST = WINDOWS[-1]
_BEAT = "celery -A artifact_pipeline.worker.control beat --loglevel INFO"


@dataclass(frozen=True, slots=True)
class _OpenBreaker:
    """The problem of a circuit breaker that is open. `what` takes the failures and their age."""

    code: ProblemCode
    what: str
    why: str
    fix: str


_STORE = _OpenBreaker(
    ProblemCode.STORE_BREAKER_OPEN,
    what="store breaker open: {of.endpoint} failed {of.failures} times, last {ago} ago",
    why="workers pause their requests to the object store, and retry by themselves",
    fix="artifacts health ready --only bucket",
)
_WORKSPACE = _OpenBreaker(
    ProblemCode.WORKSPACE_BREAKER_OPEN,
    what="workspace breaker open: {of.endpoint}, failed {ago} ago",
    why="transfers wait for it there without spending attempts, and continue by themselves; is the"
    " share mounted, and is there space?",
    fix="artifacts workspace show",
)


def worker_command(*queues: str, workspace: str | None = None) -> str:
    """Return the command that starts a worker for the queues of a workspace."""
    options = f"--loglevel INFO --without-gossip --without-mingle --queues {','.join(queues)}"
    setting = "" if workspace is None else f"ARTIFACTS_WORKSPACE_NAME={workspace} "
    return f"{setting}celery -A artifact_pipeline.worker.app worker {options}"


def find_problems(status: PipelineStatus) -> list[Problem]:
    """Return all problems, those that stop work first."""
    parts = (_of_broker, _of_queues, _of_breakers, _of_quarantine, problems_of_events)
    found = [problem for part in parts for problem in part(status)]
    return sorted(found, key=lambda problem: not problem.is_error)


def standstill(status: PipelineStatus) -> list[Problem]:
    """Return the errors that keep outstanding work from being done.

    None while all of it has become due just now: the restart of a worker is no standstill. A broker
    that knows of no dispatch proves nothing at first, as after a FLUSHALL.
    """
    since = first(status.database.transfers, Phase.DUE, Phase.EXPIRED)
    waited = timedelta() if since is None else status.database.now - since
    if waited < STANDSTILL_AFTER:
        return []
    errors = [problem for problem in find_problems(status) if problem.is_error]
    never = status.broker is not None and status.broker.dispatched_at is None
    if never and waited < LATE_AFTER:
        return [problem for problem in errors if problem.code is not ProblemCode.NO_DISPATCH]
    return errors


def _of_broker(status: PipelineStatus) -> Iterator[Problem]:
    broker = status.broker
    if broker is None:
        yield Problem(
            code=ProblemCode.BROKER_AWAY,
            is_error=True,
            what="the broker does not answer",
            why="no message reaches a worker; the requests stay in SQL",
            fix="artifacts doctor",
        )
        return
    if not _dispatches(status, broker):
        yield _no_dispatch(status, broker)


def _dispatches(status: PipelineStatus, broker: BrokerStatus) -> bool:
    at = broker.dispatched_at
    return at is not None and status.database.now - at <= DISPATCH_LATE_AFTER


def _no_dispatch(status: PipelineStatus, broker: BrokerStatus) -> Problem:
    at = broker.dispatched_at
    since = "no dispatch yet" if at is None else f"no dispatch for {age(status.database.now - at)}"
    has_worker = broker.may_listen_to(status.upkeep_queue)
    who = "is beat running?" if has_worker else f"no worker listens to {status.upkeep_queue}"
    return Problem(
        code=ProblemCode.NO_DISPATCH,
        is_error=True,
        what=f"{since}: {who}",
        why="retries, lost messages and the work of dead workers are not sent again",
        fix=_BEAT if has_worker else worker_command(status.upkeep_queue),
        queue=status.upkeep_queue,
    )


def _of_queues(status: PipelineStatus) -> Iterator[Problem]:
    broker = status.broker
    if broker is None:
        return
    for queue in status.queues:
        if broker.may_listen_to(queue):
            yield from _of_consumed_queue(status, queue)
        else:
            yield from _without_worker(status, broker, queue)
    for queue, messages in broker.strays.items():
        if not broker.may_listen_to(queue):
            yield _stray(queue, messages)


def _without_worker(status: PipelineStatus, broker: BrokerStatus, queue: str) -> Iterator[Problem]:
    groups = status.database.of_queue(queue, Phase.DUE, Phase.EXPIRED)
    since = first(groups, Phase.DUE, Phase.EXPIRED)
    messages = broker.messages.get(queue, 0)
    # Beat alone fills this queue; the missing dispatch is reported instead.
    if queue == status.upkeep_queue or not (messages or groups):
        return
    # A worker that has no child processes does not answer while it transfers.
    if status.database.of_queue(queue, Phase.RUNNING):
        return
    if since is None:
        waiting = f"{plural(messages, 'message')} in the broker"
    else:
        waiting = f"{plural(count(groups, Phase.DUE, Phase.EXPIRED), 'transfer')} due for"
        waiting = f"{waiting} {age(status.database.now - since)}"
    if workspace := status.workspaces.get(queue):
        yield _unserved(queue, workspace, waiting)
        return
    yield Problem(
        code=ProblemCode.NO_WORKER,
        is_error=since is None or status.database.now - since >= STANDSTILL_AFTER,
        what=f"{queue}: no worker listens, {waiting}",
        why="nothing of this queue is transferred",
        fix=worker_command(queue),
        queue=queue,
    )


def _unserved(queue: str, workspace: str, waiting: str) -> Problem:
    # No error: the rest of the deployment works, and nothing of it has to be restarted.
    return Problem(
        code=ProblemCode.WORKSPACE_UNSERVED,
        is_error=False,
        what=f"{queue}: no worker serves the workspace {workspace}, {waiting}",
        why="only a worker that sees its files can do it; start one on its host, or give it up by"
        f" `artifacts workspaces forget {workspace}` if the files are gone",
        fix=worker_command(queue, workspace=workspace),
        queue=queue,
    )


def _stray(queue: str, messages: int) -> Problem:
    return Problem(
        code=ProblemCode.STRAY_QUEUE,
        is_error=False,
        what=f"{queue}: no queue of the pipeline, {plural(messages, 'message')} in the broker",
        why="no worker listens to it; perhaps a producer has mistyped the name",
        fix=worker_command(queue),
        queue=queue,
    )


def _of_consumed_queue(status: PipelineStatus, queue: str) -> Iterator[Problem]:
    database = status.database
    is_idle = not (database.of_queue(queue, Phase.RUNNING) or database.done(_LONGEST, queue)[0])
    due = [each for each in database.of_queue(queue, Phase.DUE) if each.late]
    # A batch keeps up to thousands of transfers waiting on purpose.
    if due and (is_idle or queue != status.batch_queue):
        yield _late(status, queue, is_idle=is_idle)
    expired = [each for each in database.of_queue(queue, Phase.EXPIRED) if each.late]
    if expired:
        yield _expired(status, queue, is_idle=is_idle)


def _overdue(status: PipelineStatus, queue: str, phase: Phase) -> tuple[int, timedelta]:
    """Return how many transfers are in the phase for too long, and how long the first one is."""
    groups = status.database.of_queue(queue, phase)
    since = first(groups, phase) or status.database.now
    return sum(each.late for each in groups), status.database.now - since


def _late(status: PipelineStatus, queue: str, *, is_idle: bool) -> Problem:
    late, longest = _overdue(status, queue, Phase.DUE)
    what = (
        f"{queue}: {plural(late, 'transfer')} due for more than {age(LATE_AFTER)},"
        f" the first for {age(longest)}"
    )
    if is_idle:
        return Problem(
            code=ProblemCode.STUCK,
            is_error=True,
            what=f"{what}; none done in {age(_LONGEST)}",
            why="its workers answer, but take nothing; restart them after a look at what they do",
            fix="celery -A artifact_pipeline.worker.control inspect active",
            queue=queue,
        )
    return Problem(
        code=ProblemCode.BEHIND,
        is_error=False,
        what=what,
        why="its workers are slower than the requests; start another one",
        fix=worker_command(queue, workspace=status.workspaces.get(queue)),
        queue=queue,
    )


def _expired(status: PipelineStatus, queue: str, *, is_idle: bool) -> Problem:
    late, longest = _overdue(status, queue, Phase.EXPIRED)
    return Problem(
        code=ProblemCode.LEASE_EXPIRED,
        is_error=is_idle,
        what=f"{queue}: {plural(late, 'lease')} expired more than {age(EXPIRED_LATE_AFTER)} ago,"
        f" the first {age(longest)} ago, not taken over",
        why="a worker died, and no other one continues its transfers",
        fix=f"artifacts transfers list --state running --queue {queue}",
        queue=queue,
    )


def _of_breakers(status: PipelineStatus) -> Iterator[Problem]:
    database = status.database
    for breaker, failures in ((_STORE, database.endpoints), (_WORKSPACE, database.workspaces)):
        for each in failures:
            if each.is_open:
                ago = age(database.now - each.failed_at)
                yield Problem(
                    code=breaker.code,
                    is_error=False,
                    what=breaker.what.format(of=each, ago=ago),
                    why=breaker.why,
                    fix=breaker.fix,
                )


def _of_quarantine(status: PipelineStatus) -> Iterator[Problem]:
    for each in status.database.failures:
        if each.recent:
            yield Problem(
                code=ProblemCode.QUARANTINED,
                is_error=False,
                what=f"{plural(each.recent, 'transfer')} quarantined in the last hour:"
                f" {each.reason}",
                why="they are not retried until an operator asks for it",
                fix=f"artifacts quarantine list --reason {each.reason} --newer-than 1h",
            )
