"""The tables of `artifacts status`, which fit into 80 columns."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from artifact_pipeline.domain.maintenance.pipeline_status import (
    WINDOWS,
    BrokerStatus,
    DatabaseStatus,
    Phase,
    PipelineStatus,
    TransferGroup,
    count,
    first,
)
from artifact_pipeline.domain.maintenance.problems import Problem
from artifact_pipeline.domain.model.audit_cursor import faults_in
from artifact_pipeline.domain.model.durations import age
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.worker.cli.output import size_of
from artifact_pipeline.worker.cli.tables import TextTable

_PHASES = ("due", "oldest", "retry", "running", "expired", "later")
_BRIEF = ("due", "oldest", "running", "retry", "expired")
"""The most important of them, for a narrow terminal."""
_NONE = "-"
_INDENT = " " * 9
_WORKERS_SHOWN = 20


def status_view(status: PipelineStatus, problems: Sequence[Problem]) -> RenderableType:
    database = status.database
    parts: list[RenderableType] = [
        _problems(problems),
        _queues(status),
        _kinds(database),
        _throughput(database),
        *_retries(database),
        *_failures(database),
        *_batches(database),
        *_requesters(database),
        *_workers(status.broker),
        Text("\n".join(_lines(status))),
    ]
    return Group(*_spaced(parts))


def _spaced(parts: Iterable[RenderableType]) -> Iterator[RenderableType]:
    for n, part in enumerate(parts):
        if n:
            yield Text()
        yield part


def _problems(problems: Sequence[Problem]) -> RenderableType:
    if not problems:
        return Text("nothing needs an operator", style="green")
    return Group(*(line for problem in problems for line in _problem(problem)))


def _problem(problem: Problem) -> Iterator[Text]:
    word, style = ("error", "bold red") if problem.is_error else ("warning", "yellow")
    yield Text.assemble((f"{word:9}", style), problem.what)
    yield Text(f"{_INDENT}{problem.why}")
    yield Text.assemble(f"{_INDENT}fix: ", (problem.fix, "bold"))


def _queues(status: PipelineStatus) -> TextTable:
    table = TextTable("queue", *_PHASES, "messages", "workers", brief=("queue", "workers", *_BRIEF))
    broker = status.broker
    for queue in status.queues:
        groups = status.database.of_queue(queue, *Phase)
        in_broker = ("?", "?")
        if broker is not None:
            in_broker = (
                _number(broker.messages.get(queue, 0)),
                _number(broker.listening_to(queue)) if broker.has_control else "?",
            )
        table.add_row(queue, *_cells(status.database, groups), *in_broker)
    return table


def _kinds(database: DatabaseStatus) -> TextTable:
    table = TextTable("kind", *_PHASES, brief=("kind", *_BRIEF))
    for kind in ArtifactKind:
        table.add_row(kind, *_cells(database, database.of_kind(kind)))
    return table


def _cells(database: DatabaseStatus, groups: list[TransferGroup]) -> list[str]:
    since = first(groups, Phase.DUE)
    phases = (Phase.RETRY, Phase.RUNNING, Phase.EXPIRED, Phase.SCHEDULED)
    return [
        _number(count(groups, Phase.DUE)),
        _NONE if since is None else age(database.now - since),
        *(_number(count(groups, phase)) for phase in phases),
    ]


def _throughput(database: DatabaseStatus) -> TextTable:
    table = TextTable("done in the last", *(age(window) for window in WINDOWS))
    done = [database.done(window) for window in WINDOWS]
    table.add_row("transfers", *(_number(transfers) for transfers, _ in done))
    table.add_row("bytes", *(str(size_of(moved, exact=False)) for _, moved in done))
    return table


def _retries(database: DatabaseStatus) -> Iterator[TextTable]:
    groups = [each for each in database.transfers if each.reason]
    if not groups:
        return
    table = TextTable("waiting for a retry", "transfers", "next in")
    for reason in sorted({str(each.reason) for each in groups}):
        of_reason = [each for each in groups if each.reason == reason]
        soonest = min(each.since for each in of_reason)
        transfers = _number(count(of_reason, Phase.RETRY))
        table.add_row(reason, transfers, age(soonest - database.now))
    yield table


def _failures(database: DatabaseStatus) -> Iterator[TextTable]:
    if not database.failures:
        return
    table = TextTable("quarantined", "transfers", "last hour", "newest")
    for each in database.failures:
        newest = f"{age(database.now - each.last_at)} ago"
        table.add_row(each.reason, _number(each.quarantined), _number(each.recent), newest)
    yield table


def _batches(database: DatabaseStatus) -> Iterator[TextTable]:
    if not database.batches:
        return
    table = TextTable("batch", "state", "members", "released", "in flight", "started")
    for each in database.batches:
        started = f"{age(database.now - each.started_at)} ago"
        cells = (_number(each.members), f"{each.released:.0%}", _number(each.in_flight), started)
        rests = each.rests_until
        begins = "" if rests is None else f", its hours begin in {age(rests - database.now)}"
        table.add_row(str(each.id), f"{each.state}{begins}", *cells)
    yield table


def _requesters(database: DatabaseStatus) -> Iterator[TextTable]:
    if not database.requesters:
        return
    table = TextTable("requested by", "transfers")
    for each in database.requesters:
        table.add_row(each.requested_by, _number(each.transfers))
    yield table


def _workers(broker: BrokerStatus | None) -> Iterator[TextTable]:
    if broker is None or not broker.workers:
        return
    table = TextTable("worker", "queues", elastic=("worker", "queues"))
    for worker in broker.workers[:_WORKERS_SHOWN]:
        table.add_row(worker.name, ", ".join(worker.queues))
    if (more := len(broker.workers) - _WORKERS_SHOWN) > 0:
        table.add_row(f"and {more} more", "")
    yield table


def _lines(status: PipelineStatus) -> Iterator[str]:
    database, broker = status.database, status.broker
    if broker is None:
        yield "broker    does not answer"
    else:
        if not broker.has_control:
            yield "workers   cannot be asked: this broker has no remote control"
        elif not broker.workers:
            yield "workers   no worker answers"
        at = broker.dispatched_at
        yield f"dispatch  {'no dispatch yet' if at is None else f'{age(database.now - at)} ago'}"
        if broker.refused:
            yield f"refused   {_number(broker.refused)} messages: artifacts messages list"
    for each in database.endpoints:
        state = "breaker open" if each.is_open else "breaker closed"
        ago = age(database.now - each.failed_at)
        yield f"store     {each.endpoint}: {state}, {each.failures} failures, last {ago} ago"
    if not database.endpoints:
        yield "store     no failures"
    for each in database.workspaces:
        state = "breaker open" if each.is_open else "breaker closed"
        ago = age(database.now - each.failed_at)
        yield f"{each.endpoint}: {state}, last failure {ago} ago"
    if database.unverified is not None:
        ago = age(database.now - database.unverified.since)
        number = database.unverified.transfers
        yield f"verify    {number:,} ended after a write of unknown outcome, the first {ago} ago"
    yield from _audit(database)
    yield from _events(database)
    yield f"at        {database.now:%Y-%m-%d %H:%M:%SZ} by the database's clock"


def _events(database: DatabaseStatus) -> Iterator[str]:
    for each in database.events:
        oldest = "" if each.oldest is None else f", the first for {age(each.oldest)}"
        refused = f"; {_number(each.refused)} refused" if each.refused else ""
        yield f"events    {_number(each.waiting)} wait for {each.target}{oldest}{refused}"


def _audit(database: DatabaseStatus) -> Iterator[str]:
    audit = database.audit
    if audit is None:
        return
    if audit.finished_at is not None:
        ago = age(database.now - audit.finished_at)
        yield f"audit     {_faults(audit.result or {})}, ended {ago} ago"
    if audit.is_running:
        ago = age(database.now - audit.started_at)
        yield f"audit     {_faults(audit.counts)} until now, began {ago} ago"


def _faults(counts: Mapping[str, int]) -> str:
    said = ", ".join(f"{n:,} {name}" for name, n in faults_in(counts).items()) or "no faults"
    return f"{said} in {counts.get('objects', 0):,} objects"


def _number(number: int) -> str:
    return f"{number:,}"
