"""Snapshots of batches in memory."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from artifact_pipeline.domain.errors import NotFoundError, ReasonCode
from artifact_pipeline.domain.fakes.batch_candidates import Candidate, Candidates, is_listed
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.batches import (
    ENDED_BADLY,
    Batch,
    BatchFilter,
    BatchMode,
    BatchState,
    Listed,
    Member,
    Preview,
    PreviewGroup,
    SkipReason,
)
from artifact_pipeline.domain.model.byte_budget import ByteBudget, Settled
from artifact_pipeline.domain.model.parts import smallest_part_size
from artifact_pipeline.domain.model.transfers import Direction, Transfer, TransferState

_EXAMPLES = 5
_THRESHOLD = _PART = 16 * 2**20


@dataclass(slots=True)
class BatchRecord:
    """A batch with its members in their order, those that are left out included."""

    batch: Batch
    members: list[tuple[Candidate, SkipReason | None]]
    released_to: int = 0
    paced_to: datetime | None = None
    budget: ByteBudget | None = None
    trace_headers: str | None = None

    @property
    def to_transfer(self) -> list[tuple[int, Candidate]]:
        """Return the members of the batch's mode, with their positions."""
        return self.of_mode(self.batch.mode or BatchMode.ALL)

    def of_mode(self, mode: BatchMode) -> list[tuple[int, Candidate]]:
        """Return the members that a start in that mode transfers, with their positions."""
        return [
            (position, member)
            for position, (member, left_out) in enumerate(self.members, start=1)
            if left_out is None and _is_of_mode(member, mode)
        ]

    def settle(self, transfers: Iterable[Transfer], now: datetime) -> None:
        """Charge the members that have ended with the bytes that they moved."""
        if self.budget is None:
            return
        since, self.budget = self.budget.now, replace(self.budget, now=now)
        mine = [each for each in transfers if each.batch_id == self.batch.id]
        for each in mine:
            if each.state is not TransferState.DONE or each.charged_bytes is None:
                continue
            if each.finished_at is not None and since <= each.finished_at < now:
                self.budget = self.budget.settle([_settled(each, each.charged_bytes)])


def _settled(transfer: Transfer, charged: int) -> Settled:
    moved = transfer.bytes_sent or 0
    return Settled(kind=transfer.artifact.kind, charged=charged, moved=moved, moving=int(moved > 0))


@dataclass(slots=True)
class InMemoryBatchSnapshots:
    """Snapshots of batches in memory.

    Attributes: `records` are all batches, by their ids.
    """

    candidates: Candidates
    records: dict[int, BatchRecord] = field(default_factory=dict)
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def freeze(
        self,
        filters: BatchFilter,
        *,
        requested_by: str,
        expires_in: timedelta,
        listed: Iterable[Listed] | None = None,
        has_source: Callable[[Artifact], bool] | None = None,
    ) -> int:
        lines = list(listed or ())
        if listed is not None:
            filters = filters.model_copy(update={"listed": len(lines)})
        members = _in_turn(self.candidates(filters, lines))
        named = [member.artifact for member in members]
        unmatched = sum(not any(is_listed(each, [line]) for each in named) for line in lines)
        now, batch_id = self.candidates.transfers.now(), next(self._numbers)
        batch = Batch(
            id=batch_id,
            state=BatchState.PREVIEWED,
            requested_by=requested_by,
            reason="",
            filter=filters.model_copy(update={"unmatched": unmatched}),
            requested_at=now,
            expires_at=now + expires_in,
        )
        frozen = [(each, _skip_reason(each, has_source)) for each in members]
        self.records[batch_id] = BatchRecord(batch, frozen)
        return batch_id

    def preview(self, batch_id: int) -> Preview:
        row = self.record_of(batch_id)
        members = [member for member, left_out in row.members if left_out is None]
        return Preview(
            batch=row.batch,
            groups=_groups(members),
            left_out=Counter(why for _, why in row.members if why is not None),
            examples=[as_member(each) for each in members[:_EXAMPLES]],
        )

    def delete(self, batch_id: int) -> None:
        self.records.pop(batch_id, None)

    def record_of(self, batch_id: int) -> BatchRecord:
        """Return the batch's record. Raises: NotFoundError."""
        if batch_id not in self.records:
            raise NotFoundError(f"there is no batch {batch_id}")
        return self.records[batch_id]


def as_member(candidate: Candidate) -> Member:
    artifact = candidate.artifact
    return Member(
        job_id=artifact.job_id,
        run_id=artifact.run_id,
        kind=artifact.kind,
        direction=candidate.direction,
        user_id=candidate.user_id,
    )


def _is_of_mode(member: Candidate, mode: BatchMode) -> bool:
    if mode is BatchMode.FAILED:
        return member.state in ENDED_BADLY
    return mode is BatchMode.ALL or member.size is None


def _in_turn(found: Iterable[Candidate]) -> list[Candidate]:
    """Return one of each user in turn, so that a user's many do not come first."""
    by_user: dict[int, list[Candidate]] = {}
    for each in sorted(found, key=_order):
        by_user.setdefault(each.user_id, []).append(each)
    turns = [
        (turn, user_id, each)
        for user_id, of_user in by_user.items()
        for turn, each in enumerate(of_user)
    ]
    return [each for _, _, each in sorted(turns, key=lambda turn: turn[:2])]


def _order(candidate: Candidate) -> tuple[int, int, str, str]:
    artifact = candidate.artifact
    return artifact.job_id, artifact.run_id or 0, artifact.kind, candidate.direction


def _skip_reason(
    member: Candidate, has_source: Callable[[Artifact], bool] | None
) -> SkipReason | None:
    if member.state is not None and member.state.is_active:
        return SkipReason.RUNNING
    if member.direction is Direction.DOWNLOAD:
        is_nowhere = member.reason is ReasonCode.ARTIFACT_MISSING and member.size is None
        return SkipReason.NO_SOURCE if is_nowhere else None
    has_none = has_source is not None and not has_source(member.artifact)
    return SkipReason.NO_SOURCE if has_none else None


def _groups(members: Iterable[Candidate]) -> list[PreviewGroup]:
    by_group: dict[tuple[str, str, str], list[Candidate]] = {}
    for each in members:
        state = each.state or "never requested"
        by_group.setdefault((each.direction, each.artifact.kind, state), []).append(each)
    return [_group(of_group) for _, of_group in sorted(by_group.items())]


def _group(members: list[Candidate]) -> PreviewGroup:
    sizes = [member.size for member in members if member.size is not None]
    first = members[0]
    return PreviewGroup(
        direction=first.direction,
        kind=first.artifact.kind,
        state=first.state,
        members=len(members),
        stored=len(sizes),
        known_bytes=sum(sizes),
        requests_at_least=len(members) if first.direction is Direction.UPLOAD else 0,
        requests_at_most=sum(map(_requests, members)),
    )


def _requests(member: Candidate) -> int:
    size = member.size or 0
    parts = -(-size // smallest_part_size(member.artifact.kind, _PART)) or 1
    if member.direction is Direction.DOWNLOAD:
        return parts
    # An upload in parts costs two more requests, to begin and to complete it.
    return 1 if size < _THRESHOLD else parts + 2
