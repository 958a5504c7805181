"""Make archived artifacts readable for some days."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from artifact_pipeline.domain.catalog.locate import LocateArtifacts
from artifact_pipeline.domain.each import for_each, outcome_of, until_unavailable
from artifact_pipeline.domain.errors import ObjectReplacedError, PipelineError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.found_artifacts import FoundArtifact, UnreadableArtifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.objects import BucketObject
from artifact_pipeline.domain.model.restorations import (
    NOT_RESTORED,
    Restoration,
    RestorePhase,
    RestoreSpeed,
)
from artifact_pipeline.domain.ports.object_store import IObjectReader
from artifact_pipeline.domain.ports.restorations import IObjectRestorer, IRestorations


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoredArtifact:
    """What became of one artifact.

    Attributes:
        phase: None for one that can be read without a restore.
        until: when its restored copy ends.
        was_asked: whether this command asked the store for it.
    """

    found: FoundArtifact
    phase: RestorePhase | None = None
    until: datetime | None = None
    was_asked: bool = False
    error: PipelineError | None = None

    @property
    def is_waited_for(self) -> bool:
        return self.error is None and self.phase is RestorePhase.RESTORING


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreSummary:
    """What became of a job's artifacts, and those that cannot be looked at."""

    artifacts: Sequence[RestoredArtifact]
    unreadable: Sequence[UnreadableArtifact] = ()

    @property
    def waits(self) -> bool:
        return any(each.is_waited_for for each in self.artifacts)

    @property
    def failed(self) -> bool:
        errors = [each for each in self.artifacts if each.error is not None]
        return bool(errors or self.unreadable)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreArtifacts:
    """Restores what is archived, and records how far that is.

    Attributes:
        now: the time by the clock that the records go by.
    """

    locate: LocateArtifacts
    restorer: IObjectRestorer
    restorations: IRestorations
    now: Callable[[], datetime]

    def __call__(  # noqa: PLR0913 - which artifacts, and how
        self,
        job_id: int,
        *,
        run_id: int | None = None,
        kind: ArtifactKind | None = None,
        days: int,
        speed: RestoreSpeed,
        dry_run: bool = False,
    ) -> RestoreSummary:
        """Ask the store for the job's archived artifacts, and return without waiting.

        One that fails does not stop the others. Asking again while a restore is under way changes
        nothing; a restored copy is kept for so many days from now.

        Raises:
            UnknownJobError, UnknownRunError, RunOfAnotherJobError: the ids belong to nothing.
            UnsupportedByStoreError: the store has no archive.
        """
        self.restorer.check_supported()
        self.locate.placement.check(job_id, run_id)
        contents = self.locate.contents(job_id)

        def ask(found: FoundArtifact) -> RestoredArtifact:
            return self._ask(found, days, speed, dry_run=dry_run)

        def is_chosen(each: FoundArtifact | UnreadableArtifact) -> bool:
            artifact = each.artifact
            return run_id in (None, artifact.run_id) and kind in (None, artifact.kind)

        chosen = filter(is_chosen, contents.found)
        return RestoreSummary(
            artifacts=[*map(_outcome, until_unavailable(for_each(ask, chosen)))],
            unreadable=list(filter(is_chosen, contents.unreadable)),
        )

    def look(self, summary: RestoreSummary) -> RestoreSummary:
        """Look again at those that are being restored, and record what has changed."""
        waited = [each.found for each in summary.artifacts if each.is_waited_for]
        answers = until_unavailable(for_each(self._look, waited))
        looked = {each.found.artifact: each for each in map(_outcome, answers)}
        artifacts = [
            replace(looked.get(each.found.artifact, each), was_asked=each.was_asked)
            for each in summary.artifacts
        ]
        return replace(summary, artifacts=artifacts)

    def _ask(
        self, found: FoundArtifact, days: int, speed: RestoreSpeed, *, dry_run: bool
    ) -> RestoredArtifact:
        if not found.object.tier.must_be_restored:
            return RestoredArtifact(found=found)
        there = self._seen(found)
        is_under_way = (there.restoration or NOT_RESTORED).is_under_way
        if is_under_way or dry_run:
            return self._answer(found, there, records=not dry_run)
        self.restorer.restore(there, days=days, speed=speed)
        return replace(self._answer(found, self._seen(found)), was_asked=True)

    def _look(self, found: FoundArtifact) -> RestoredArtifact:
        return self._answer(found, self._seen(found))

    def _answer(
        self, found: FoundArtifact, there: BucketObject, *, records: bool = True
    ) -> RestoredArtifact:
        restoration: Restoration = there.restoration or NOT_RESTORED
        if records:
            self.restorations.record(found.artifact, there, restoration)
        phase = restoration.phase(self.now())
        return RestoredArtifact(found=found, phase=phase, until=restoration.until)

    def _seen(self, found: FoundArtifact) -> BucketObject:
        """Return the object with what only a look at it says. Raises: ObjectReplacedError."""
        there = self.locate.reader.find(found.object.address)
        if there is None or there.version != found.object.version:
            raise ObjectReplacedError(f"{found.artifact}: another object has replaced it")
        return there


def known_restorations(
    found: Iterable[FoundArtifact], restorations: IRestorations, reader: IObjectReader
) -> dict[Artifact, Restoration]:
    """Return what is recorded of those that must be restored before they can be read.

    It costs one look at each that is recorded as being restored, because that may have ended since.
    """
    archived = [each for each in found if each.object.tier.must_be_restored]
    if not archived:
        return {}
    recorded = restorations.of_job(archived[0].artifact.job_id)
    known = {each.artifact: recorded.get(each.artifact, NOT_RESTORED) for each in archived}
    for each in archived:
        if known[each.artifact].is_under_way:
            there = outcome_of(partial(reader.find, each.object.address))
            if isinstance(there, BucketObject) and there.restoration is not None:
                known[each.artifact] = there.restoration
    return known


def wait_until_restored(  # noqa: PLR0913 - the last two are for tests
    restore: RestoreArtifacts,
    summary: RestoreSummary,
    *,
    timeout: float | None,
    every: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> RestoreSummary:
    """Look again and again, until nothing is being restored or the time is over.

    Args:
        restore: has asked for it.
        summary: what it answered.
        timeout: seconds; None is no limit.
        every: seconds between two looks.
        clock: in seconds.
        sleep: waits.
    """
    until = float("inf") if timeout is None else clock() + timeout
    while summary.waits and clock() < until:
        sleep(min(every, max(0.0, until - clock())))
        summary = restore.look(summary)
    return summary


def _outcome(answer: tuple[FoundArtifact, RestoredArtifact | PipelineError]) -> RestoredArtifact:
    found, outcome = answer
    if isinstance(outcome, PipelineError):
        return RestoredArtifact(found=found, error=outcome)
    return outcome
