"""Retention rules, and the artifacts that are due, in memory."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.fakes.artifacts import InMemoryArtifacts
from artifact_pipeline.domain.fakes.legal_holds import InMemoryLegalHolds
from artifact_pipeline.domain.fakes.platform import InMemoryJobs
from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact, artifact_order
from artifact_pipeline.domain.model.keys import JobS3Prefix
from artifact_pipeline.domain.model.ownership import Ownership
from artifact_pipeline.domain.model.retention import (
    MAX_RULES,
    DueAmount,
    DueAmounts,
    DueArtifact,
    RecordedRule,
    RetentionAction,
    RetentionPage,
    RetentionRule,
    most_protective,
)


class InMemoryRetentionRules:
    """Rules in memory. Attributes: `rows` are the rules by name."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.rows: dict[str, RecordedRule] = {}
        self._clock = clock

    def set(self, rule: RetentionRule, set_by: str, reason: str) -> bool:
        is_new = rule.name not in self.rows
        if is_new and len(self.rows) >= MAX_RULES:
            raise InvalidRequestError(f"there are {MAX_RULES} rules already: remove one")
        given = {name: value for name, value in asdict(rule).items() if name in _FIELDS}
        self.rows[rule.name] = RecordedRule(
            **given, set_at=self._clock(), set_by=set_by, reason=reason
        )
        return is_new

    def remove(self, name: str) -> bool:
        return self.rows.pop(name, None) is not None

    def all(self) -> Sequence[RecordedRule]:
        return [self.rows[name] for name in sorted(self.rows)]


_FIELDS = tuple(RetentionRule.__dataclass_fields__)


@dataclass(slots=True, kw_only=True)
class InMemoryDueArtifacts:
    """Reads the fakes of artifacts, holds and jobs.

    Attributes:
        archives: names of tiers that are archives, the quickest to read first.
        tags: of jobs.
        scanned: how many rows a call reads at most.
    """

    artifacts: InMemoryArtifacts
    holds: InMemoryLegalHolds
    jobs: InMemoryJobs
    archives: Sequence[str]
    tags: Mapping[int, Sequence[str]] = field(default_factory=dict)
    scanned: int = 1_000
    kept_position: int = 0
    _ids: dict[Artifact, int] = field(default_factory=dict)

    def page(self, rules: Sequence[RetentionRule], *, after: int, limit: int) -> RetentionPage:
        rows, last, is_end = self._range(after)
        due = [
            (number, each)
            for number, each in self._due(rules, rows)
            if self.holds.find(each.stored.artifact.job_id) is None
        ]
        page = due[:limit]
        if len(page) == limit:
            return RetentionPage(due=[each for _, each in page], last=page[-1][0], is_end=False)
        return RetentionPage(due=[each for _, each in page], last=last, is_end=is_end)

    def count(
        self, rules: Sequence[RetentionRule], *, after: int, of_rule: str | None = None
    ) -> DueAmounts:
        rows, last, is_end = self._range(after)
        named = [rule for rule in rules if of_rule in (None, rule.name)]
        held: set[int] = set()
        sums: dict[DueAmount, list[int]] = defaultdict(lambda: [0, 0])
        for _, due in self._due(rules, rows):
            stored, job_id = due.stored, due.stored.artifact.job_id
            if not any(self._selects(rule, stored) for rule in named):
                continue
            is_held = self.holds.find(job_id) is not None
            held |= {job_id} if is_held else set()
            amount = sums[_sort_of(due, is_held=is_held)]
            amount[0] += 1
            amount[1] += stored.object.size
        return DueAmounts(
            amounts=[
                replace(sort, artifacts=number, size=size) for sort, (number, size) in sums.items()
            ],
            held_jobs=frozenset(held),
            last=last,
            is_end=is_end,
        )

    def position(self) -> int:
        return self.kept_position

    def keep_position(self, position: int) -> None:
        self.kept_position = position

    def _range(self, after: int) -> tuple[list[tuple[int, StoredArtifact]], int, bool]:
        ordered = sorted(self.artifacts.rows.values(), key=lambda row: artifact_order(row.artifact))
        numbered = [
            (self._ids.setdefault(row.artifact, len(self._ids) + 1), row) for row in ordered
        ]
        rows = sorted((each for each in numbered if each[0] > after), key=lambda each: each[0])
        page = rows[: self.scanned]
        return page, page[-1][0] if page else after, len(page) < self.scanned

    def _due(
        self, rules: Sequence[RetentionRule], rows: Iterable[tuple[int, StoredArtifact]]
    ) -> Iterator[tuple[int, DueArtifact]]:
        for number, stored in rows:
            if not self._is_own(stored) or stored.artifact in self.artifacts.active():
                continue
            action, tier = most_protective(self._actions(rules, stored), self.archives)
            is_archived = stored.object.tier_name in (*self.archives, tier)
            if action is RetentionAction.DELETE or (
                action is RetentionAction.ARCHIVE and not is_archived
            ):
                yield number, DueArtifact(stored=stored, action=action, tier_name=tier)

    def _actions(
        self, rules: Sequence[RetentionRule], stored: StoredArtifact
    ) -> Iterator[tuple[RetentionAction, str | None]]:
        age = self.artifacts.clock() - stored.recorded_at
        newer = self._newer(stored)
        for rule in rules:
            if self._selects(rule, stored):
                yield rule.action(age, newer), rule.tier_name

    def _selects(self, rule: RetentionRule, stored: StoredArtifact) -> bool:
        job_id = stored.artifact.job_id
        tags, user_id = self.tags.get(job_id, ()), self.jobs.get(job_id).user_id
        return rule.selects(stored.artifact.kind, tags, user_id)

    def _newer(self, stored: StoredArtifact) -> int:
        artifact = stored.artifact
        alike = [
            row
            for row in self.artifacts.rows.values()
            if (row.artifact.job_id, row.artifact.kind) == (artifact.job_id, artifact.kind)
        ]
        return sum(_recency(row) > _recency(stored) for row in alike)

    def _is_own(self, stored: StoredArtifact) -> bool:
        job = self.jobs.find_by_id(stored.artifact.job_id)
        if job is None:
            return False
        prefix = JobS3Prefix.from_job(job)
        of_job = self.artifacts.of_job(job.id)
        return Ownership(prefix=prefix, rows=lambda: of_job).owns_row(stored)


def _recency(stored: StoredArtifact) -> tuple[datetime, int]:
    return stored.recorded_at, stored.artifact.run_id or 0


def _sort_of(due: DueArtifact, *, is_held: bool) -> DueAmount:
    """Return what it is counted with."""
    stored = due.stored
    return DueAmount(
        action=due.action,
        kind=stored.artifact.kind,
        month=f"{stored.recorded_at:%Y-%m}",
        tier_name=stored.object.tier_name,
        to_tier=due.tier_name,
        is_held=is_held,
    )
