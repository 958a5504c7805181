"""Retention rules: how long artifacts are kept, and what becomes of them then."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.artifacts import StoredArtifact
from artifact_pipeline.domain.model.durations import duration
from artifact_pipeline.domain.model.kinds import ArtifactKind

MAX_RULES = 50
"""Each rule is a condition of one SQL statement."""
MAX_NAME = 64
MIN_AGE = timedelta(days=1)
"""A shorter one is more likely a mistake than a wish."""
MAX_AGE = timedelta(days=36_500)
MAX_LATEST = 10_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class RetentionAction(StrEnum):
    """What becomes of an artifact, in the order in which it happens."""

    KEEP = "keep"
    ARCHIVE = "archive"
    DELETE = "delete"


_ORDER = list(RetentionAction)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionRule:
    """A rule about all artifacts that fit each of its selectors; an empty selector fits all.

    Attributes:
        kinds: of the artifact.
        tags: the job has all of them; `key=value` where the platform keeps them by name.
        user_ids: whose job it is.
        archive_after: the age at which an artifact is archived; None for never.
        tier_name: the tier that it is archived to.
        delete_after: the age at which it is deleted; None for never.
        keep_latest: of each job and kind, so many artifacts that were recorded last are kept,
            whatever their age.

    Raises:
        InvalidRequestError: names the field that is wrong.
    """

    name: str
    kinds: tuple[ArtifactKind, ...] = ()
    tags: tuple[str, ...] = ()
    user_ids: tuple[int, ...] = ()
    archive_after: timedelta | None = None
    tier_name: str | None = None
    delete_after: timedelta | None = None
    keep_latest: int | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or len(self.name) > MAX_NAME:
            raise InvalidRequestError(
                f"name: {self.name!r} is not a name: use 1 to {MAX_NAME} letters, digits, . _ or -,"
                " beginning with a letter or digit"
            )
        if not all(self.tags):
            raise InvalidRequestError("tags: a tag is empty; give its text, or leave it out")
        _check_ages(self.archive_after, self.delete_after)
        if (self.archive_after is None) != (self.tier_name is None):
            raise InvalidRequestError("tier_name: belongs to archive_after; give both or neither")
        self._check_latest()

    def _check_latest(self) -> None:
        if self.keep_latest is None:
            return
        if not 1 <= self.keep_latest <= MAX_LATEST:
            raise InvalidRequestError(
                f"keep_latest: {self.keep_latest} is not from 1 to {MAX_LATEST}"
            )
        if self.archive_after is None and self.delete_after is None:
            raise InvalidRequestError(
                f"keep_latest: {self.keep_latest}, but the rule keeps all artifacts; leave it out"
            )

    @property
    def is_without_selectors(self) -> bool:
        return not (self.kinds or self.tags or self.user_ids)

    @property
    def acts_after(self) -> timedelta | None:
        """Return the age at which it does something for the first time."""
        return self.archive_after or self.delete_after

    def selects(self, kind: ArtifactKind, tags: Collection[str], user_id: int | None) -> bool:
        """Return whether it is about artifacts of this kind and such a job."""
        return (
            (not self.kinds or kind in self.kinds)
            and (not self.user_ids or user_id in self.user_ids)
            and set(self.tags) <= set(tags)
        )

    def action(self, age: timedelta, newer: int) -> RetentionAction:
        """Return what it does with an artifact that it selects.

        Args:
            age: since the artifact was recorded.
            newer: how many artifacts of the same job and kind were recorded later.
        """
        if self.keep_latest is not None and newer < self.keep_latest:
            return RetentionAction.KEEP
        if self.delete_after is not None and age >= self.delete_after:
            return RetentionAction.DELETE
        if self.archive_after is not None and age >= self.archive_after:
            return RetentionAction.ARCHIVE
        return RetentionAction.KEEP

    def __str__(self) -> str:
        kinds = ", ".join(self.kinds) or "all kinds"
        tags = "".join(f", tag {tag}" for tag in self.tags)
        users = "".join(f", user {user_id}" for user_id in self.user_ids)
        return f"{kinds}{tags}{users}: {', then '.join(self._steps())}"

    def _steps(self) -> list[str]:
        steps = []
        if self.archive_after is not None:
            steps.append(f"archive to {self.tier_name} after {_text(self.archive_after)}")
        if self.delete_after is not None:
            steps.append(f"delete after {_text(self.delete_after)}")
        if steps and self.keep_latest is not None:
            steps[-1] += f", except the latest {self.keep_latest}"
        return steps or ["keep"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRule(RetentionRule):
    """A rule that SQL has.

    Attributes: who set it last, when and why.
    """

    set_at: datetime
    set_by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DueArtifact:
    """An artifact that the rules want archived or deleted now.

    Attributes:
        stored: its row.
        action: `ARCHIVE` or `DELETE`.
        tier_name: that it is to be archived to; None for a deletion.
    """

    stored: StoredArtifact
    action: RetentionAction
    tier_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionPage:
    """Some of the artifacts that are due, in the order of their rows.

    Attributes:
        last: after which the next page begins.
        is_end: whether no row comes after it.
    """

    due: Sequence[DueArtifact]
    last: int
    is_end: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DueAmount:
    """How much is due of one sort.

    Attributes:
        month: in which the artifacts were recorded, such as 2025-10.
        tier_name: that they are in.
        to_tier: that they are to be archived to.
        is_held: whether their jobs are on legal hold, so that nothing is done with them.
    """

    action: RetentionAction
    kind: ArtifactKind
    month: str
    tier_name: str
    to_tier: str | None = None
    is_held: bool = False
    artifacts: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DueAmounts:
    """What is due in one range of rows.

    Attributes:
        held_jobs: the jobs on legal hold that the rules would change.
        last, is_end: as `RetentionPage`.
    """

    amounts: Sequence[DueAmount]
    held_jobs: frozenset[int]
    last: int
    is_end: bool


def most_protective(
    actions: Iterable[tuple[RetentionAction, str | None]], archives: Sequence[str]
) -> tuple[RetentionAction, str | None]:
    """Return what is done with an artifact that several rules select.

    It is kept if one of them keeps it, and archived if one of them would not delete it yet.

    Args:
        actions: of the rules that select it, each with its tier for an archive.
        archives: names of tiers, the one that is the quickest to read first. Of several it is that.
    """
    found = list(actions)
    if not found:
        return RetentionAction.KEEP, None
    action = min((action for action, _ in found), key=_ORDER.index)
    if action is not RetentionAction.ARCHIVE:
        return action, None
    tiers = [tier for each, tier in found if each is action and tier is not None]
    return action, min(tiers, key=lambda tier: tier_place(tier, archives))


def tier_place(tier_name: str, archives: Sequence[str]) -> int:
    """Return the place of a tier in the order of archives; behind all of them if it is none."""
    return archives.index(tier_name) if tier_name in archives else len(archives)


def _check_ages(archive_after: timedelta | None, delete_after: timedelta | None) -> None:
    for name, age in (("archive_after", archive_after), ("delete_after", delete_after)):
        if age is not None and not MIN_AGE <= age <= MAX_AGE:
            raise InvalidRequestError(
                f"{name}: {_text(age)} is not from {MIN_AGE.days}d to {MAX_AGE.days}d"
            )
    if archive_after is not None and delete_after is not None and delete_after <= archive_after:
        raise InvalidRequestError(
            f"delete_after: {_text(delete_after)} is not later than archive_after,"
            f" {_text(archive_after)}; archive first and delete later"
        )


def _text(age: timedelta) -> str:
    return re.sub(" 0[hms]$", "", duration(age))
