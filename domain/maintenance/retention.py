"""Apply the retention rules: archive and delete what is old enough, a page at a time."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from artifact_pipeline.domain.catalog.audited import AuditedAction, audited
from artifact_pipeline.domain.catalog.delete_job import DeleteArtifacts
from artifact_pipeline.domain.catalog.deletion_plan import (
    UNCERTAIN,
    DeletedObject,
    DeletionRequest,
)
from artifact_pipeline.domain.each import for_each, until_unavailable
from artifact_pipeline.domain.errors import ObjectReplacedError, PipelineError, TransferError
from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact, artifact_order
from artifact_pipeline.domain.model.operator_actions import ActionName, NewAction, action_reason
from artifact_pipeline.domain.model.retention import (
    DueAmounts,
    DueArtifact,
    RecordedRule,
    RetentionAction,
)
from artifact_pipeline.domain.model.retention_results import Refusal, RetentionResult
from artifact_pipeline.domain.ports.audit_trail import IAuditTrail
from artifact_pipeline.domain.ports.platform import ArchiveSummary
from artifact_pipeline.domain.ports.retention import IDueArtifacts, IRetentionRules

PAGE = 1_000
"""Artifacts that a command archives or deletes before it reads the rules again."""
PERIODIC_PAGE = 200
"""Artifacts that the periodic task archives or deletes in one run, at most."""
_RANGES = 10
"""Ranges of rows that a run of the periodic task looks at before it ends without a page."""
_NAMES = 200
"""Characters of rules' names that a tombstone has as its reason."""

Archive = Callable[[int, Mapping[Artifact, StoredArtifact], str], ArchiveSummary]
"""Archives artifacts of a job, if each is still the object of its row, to the tier of a name."""


@dataclass(frozen=True, slots=True)
class _Group:
    """What is done with one call: artifacts of one job.

    Attributes: `due` are the artifacts, `tier_name` is of an archive.
    """

    job_id: int
    action: RetentionAction
    tier_name: str | None
    due: Sequence[DueArtifact]

    @property
    def expected(self) -> dict[Artifact, StoredArtifact]:
        return {each.stored.artifact: each.stored for each in self.due}


def preview(
    due: IDueArtifacts, rules: Sequence[RecordedRule], of_rule: str | None = None
) -> Iterator[DueAmounts]:
    """Yield how much the rules would archive and delete now, range by range.

    Args:
        due: the artifacts.
        rules: all that there are.
        of_rule: the name of a rule; only what it selects is counted.
    """
    after, is_end = 0, not rules
    while not is_end:
        amounts = due.count(rules, after=after, of_rule=of_rule)
        yield amounts
        after, is_end = amounts.last, amounts.is_end


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyRetention:
    """Archives and deletes what the rules say, by the use cases of the commands.

    Safe beside uploads, and several times at once: an artifact is left if its record has changed
    since it was found due, or if it has an active transfer.
    """

    rules: IRetentionRules
    due: IDueArtifacts
    delete: DeleteArtifacts
    archive: Archive

    def everything(self, action: AuditedAction, reason: str | None = None) -> RetentionResult:
        """Archive and delete all that is due now.

        The action's result is up to date after each page, also if an error ends it.

        Args:
            action: of the audit trail.
            reason: why, in the tombstones; by default the rules' names.

        Raises:
            StoreUnavailableError, SqlUnavailableError: one is away. What was done stays done.
        """
        result, after, is_end = RetentionResult(), 0, False
        while not is_end:
            # Again for each page: a rule that was removed in the meantime must not delete.
            rules = self.rules.all()
            if not rules:
                break
            page = self.due.page(rules, after=after, limit=PAGE)
            result = self._carry_out(page.due, action, reason or _names(rules), result)
            after, is_end = page.last, page.is_end
        return result

    def next_page(self, trail: IAuditTrail, actor: str) -> RetentionResult:
        """Archive and delete the next page of a pass that never ends.

        Args:
            trail: keeps it, if there is anything to do.
            actor: who, for the audit trail and the tombstones.

        Raises: as `everything`.
        """
        rules = self.rules.all()
        due = self._next_due(rules) if rules else ()
        if not due:
            return RetentionResult()
        names = _names(rules)
        new = NewAction(name=ActionName.RETENTION_APPLY, actor=actor, reason=names)
        with audited(trail, new) as action:
            return self._carry_out(due, action, names, RetentionResult())

    def _next_due(self, rules: Sequence[RecordedRule]) -> Sequence[DueArtifact]:
        for _ in range(_RANGES):
            after = self.due.position()
            page = self.due.page(rules, after=after, limit=PERIODIC_PAGE)
            # Before the work: artifacts that end the process must not be the next page again.
            self.due.keep_position(0 if page.is_end else page.last)
            if page.due or page.is_end:
                return page.due
        return ()

    def _carry_out(
        self,
        due: Sequence[DueArtifact],
        action: AuditedAction,
        reason: str,
        result: RetentionResult,
    ) -> RetentionResult:
        """Return the result so far with that of these artifacts; the action has it at each step."""
        if due:
            action.touches({each.stored.artifact.job_id for each in due})
        do = partial(self._do, actor=action.actor, reason=reason)
        for group, outcome in until_unavailable(for_each(do, _groups(due))):
            result += _failed(group, outcome) if isinstance(outcome, PipelineError) else outcome
            action.came_to(str(result), has_failures=bool(result.refused))
        return result

    def _do(self, group: _Group, *, actor: str, reason: str) -> RetentionResult:
        if group.action is RetentionAction.DELETE:
            request = DeletionRequest(job_id=group.job_id, expected=group.expected)
            why = _left(group.expected, self.delete(request, actor, reason).left)
            return _sorted_out(group, why, set(group.expected) - set(why))
        summary = self.archive(group.job_id, group.expected, group.tier_name or "")
        why = {found.artifact: str(error) for found, error in summary.failed}
        why |= {each.artifact: str(each.error) for each in summary.unreadable}
        return _sorted_out(group, why, {found.artifact for found, _ in summary.archived})


def _groups(due: Sequence[DueArtifact]) -> Iterator[_Group]:
    ordered = sorted(due, key=lambda each: (*_kind_of_work(each), *_order(each)))
    for (job_id, action, tier_name), each in groupby(ordered, key=_kind_of_work):
        yield _Group(job_id, RetentionAction(action), tier_name or None, list(each))


def _kind_of_work(due: DueArtifact) -> tuple[int, str, str]:
    return due.stored.artifact.job_id, due.action.value, due.tier_name or ""


def _order(due: DueArtifact) -> tuple[int, int, str]:
    return artifact_order(due.stored.artifact)


def _sorted_out(group: _Group, why: Mapping[Artifact, str], done: set[Artifact]) -> RetentionResult:
    refusals = [
        Refusal(artifact=artifact, action=group.action, error=why[artifact])
        for artifact in group.expected
        if artifact in why
    ]
    finished = [each for each in group.due if each.stored.artifact in done]
    skipped = len(group.due) - len(finished) - len(refusals)
    return RetentionResult.of(finished, refusals, skipped)


def _left(
    expected: Mapping[Artifact, StoredArtifact], left: Sequence[DeletedObject]
) -> dict[Artifact, str]:
    """Return the artifacts that a deletion has left, and why.

    An old copy that may be another job's is no reason: the artifact itself is gone.
    """
    why: dict[Artifact, str] = {}
    for each in left:
        known = expected.get(each.artifact) if each.artifact else None
        if known and (each.kept_for != UNCERTAIN or each.version.address.key == known.object.key):
            why[known.artifact] = each.kept_for or ""
    return why


def _failed(group: _Group, error: PipelineError) -> RetentionResult:
    if isinstance(error, ObjectReplacedError):
        return RetentionResult(skipped=len(group.due))
    said = f"{error.reason}: {error}" if isinstance(error, TransferError) else str(error)
    return _sorted_out(group, dict.fromkeys(group.expected, said), set())


def _names(rules: Sequence[RecordedRule]) -> str:
    names = ", ".join(rule.name for rule in rules)
    return action_reason(f"retention rules: {names}"[:_NAMES]) or ""
