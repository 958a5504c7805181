"""The use cases that put a job on legal hold and release it."""

from collections.abc import Sequence
from dataclasses import dataclass

from artifact_pipeline.domain.each import for_each, until_unavailable
from artifact_pipeline.domain.errors import PermanentError, PipelineError
from artifact_pipeline.domain.model.keys import job_directory
from artifact_pipeline.domain.model.object_versions import ObjectVersion
from artifact_pipeline.domain.ports.legal_holds import ILegalHolds
from artifact_pipeline.domain.ports.object_versions import IObjectVersions


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldObjects:
    """What was done in the store.

    Attributes:
        has_lock: whether the store has locks; None if it does not say.
        changed: how many versions of objects were locked or released.
        failed: versions that the store refused, with its error.
        refusal: why the store does not say whether it has locks.
    """

    has_lock: bool | None
    changed: int = 0
    failed: Sequence[tuple[ObjectVersion, PipelineError]] = ()
    refusal: PipelineError | None = None

    @property
    def has_failures(self) -> bool:
        return bool(self.failed) or self.refusal is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldJob:
    """Puts a job on hold in SQL, and locks each version of its objects where the store has locks.

    It covers all that lies under the job's id, also of an earlier job with this id.
    """

    holds: ILegalHolds
    versions: IObjectVersions

    def set(self, job_id: int, held_by: str, reason: str) -> tuple[bool, HeldObjects]:
        """Put the job on hold. Again, it locks what was stored since.

        Returns:
            Whether it was not on hold before, and what was done in the store.

        Raises:
            StoreUnavailableError: the job is on hold in SQL, and objects may not be locked yet.
        """
        # Write SQL first: from here on no command of the pipeline deletes anything.
        is_new = self.holds.set(job_id, held_by, reason)
        return is_new, self._change(job_id, on=True)

    def release(self, job_id: int) -> tuple[bool, HeldObjects]:
        """End the hold. Results: as `set`.

        Raises:
            StoreUnavailableError: the job is still on hold in SQL.
        """
        # Write SQL last, so that an interrupted release can be given again.
        done = self._change(job_id, on=False)
        return self.holds.release(job_id), done

    def _change(self, job_id: int, *, on: bool) -> HeldObjects:
        try:
            has_lock = self.versions.has_lock()
            if not has_lock:
                return HeldObjects(has_lock=False)
            found = [
                each
                for each in self.versions.all(job_directory(job_id))
                if not each.is_marker  # it has no bytes, and cannot be locked
            ]
        except PermanentError as error:
            return HeldObjects(has_lock=None, refusal=error)
        answers = until_unavailable(
            for_each(lambda each: self.versions.set_legal_hold(each, on=on), found)
        )
        failed = [(each, error) for each, error in answers if error is not None]
        return HeldObjects(has_lock=True, changed=len(found) - len(failed), failed=failed)
