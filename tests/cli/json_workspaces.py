"""The shapes of what tells of workers and workspaces."""

from tests.cli.json_types import Count, Moment, Seconds, Shape


class AnsweringWorkerShape(Shape):
    worker: str | None
    workspace: str | None
    pool: str | None
    processes: Count | None
    tasks: Count | None
    seen: Seconds | None
    queues: list[str]


class UnservedShape(Shape):
    queue: str | None
    what: str
    fix: str


class WorkersShape(Shape):
    workers: list[AnsweringWorkerShape]
    unserved: list[UnservedShape]


class NamedWorkspaceShape(Shape):
    name: str
    workers: list[str]
    seen: Seconds | None
    seen_at: Moment | None
    active: Count
    due: Count
    oldest: Seconds | None
    due_since: Moment | None
    quarantined: Count
    ids: list[str]
    added_at: Moment | None
    added_by: str | None


class ForgottenShape(Shape):
    workspace: str
    given_up: Count
    dry_run: bool
