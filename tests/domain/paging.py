"""Pages of uploads over a world in memory."""

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from artifact_pipeline.domain.errors import LeaseLostError, PipelineError
from artifact_pipeline.domain.fakes import InMemoryStore
from artifact_pipeline.domain.model.artifacts import Artifact, StoredObject
from artifact_pipeline.domain.model.kinds import SMALL_KINDS, ArtifactKind
from artifact_pipeline.domain.model.transfers import Claim, Direction, Transfer, TransferState
from artifact_pipeline.domain.ports.transfer_pages import ClaimedUpload, StoredUpload
from artifact_pipeline.domain.ports.workspace import Source
from artifact_pipeline.domain.transfers.done_uploads import DoneUploads
from artifact_pipeline.domain.transfers.page_limits import PageLimits
from artifact_pipeline.domain.transfers.page_runner import PageRunner
from artifact_pipeline.domain.transfers.page_turns import PageTurns
from artifact_pipeline.domain.transfers.page_watch import UploadEnd
from artifact_pipeline.domain.transfers.renewals import SharedRenewals
from tests.domain.world import World

PATIENCE = 30
UNHURRIED = PageLimits(size=32, threads=4, begin_seconds=PATIENCE, record_seconds=PATIENCE)


class FakePages:
    """Claims and records one by one what the port does by one statement.

    Attributes:
        failures: what the next records raise, one each.
        claimed: how many uploads each claim got.
        asked_about: the artifacts whose state was asked for.
        recorded: how many were recorded together.
        renewed: how many leases were renewed together.
        given_back: the artifacts whose claims were given back; `gave_back` is set then.
        published: the artifacts whose messages were sent again; `sent` is released for each page.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.failures: list[Exception] = []
        self.claimed: list[int] = []
        self.asked_about: list[Artifact] = []
        self.recorded: list[int] = []
        self.renewed: list[int] = []
        self.given_back: list[Artifact] = []
        self.gave_back = threading.Event()
        self.published: list[Artifact] = []
        self.sent = threading.Semaphore(0)

    def claim(  # noqa: PLR0913 - as the port has it
        self,
        artifact: Artifact,
        request_id: str,
        *,
        kinds: Collection[ArtifactKind],
        limit: int,
        owner: str,
        lease: timedelta,
    ) -> list[ClaimedUpload]:
        due = [row for row in self._world.transfers.rows.values() if self._is_due(row, kinds)]
        asked = [row for row in due if (row.artifact, row.request_id) == (artifact, request_id)]
        others = [row for row in due if row not in asked]
        page = [*asked, *others][:limit] if asked else []
        self.claimed.append(len(page))
        return [self._claimed(row, owner, lease) for row in page]

    def settled(self, artifact: Artifact, request_id: str) -> TransferState | None:
        self.asked_about.append(artifact)
        rows = self._world.transfers.rows.values()
        asked = [row for row in rows if (row.artifact, row.request_id) == (artifact, request_id)]
        over = TransferState.DONE, TransferState.RUNNING
        return next((row.state for row in asked if row.state in over), None)

    def claim_of_job(
        self,
        job_id: int,
        *,
        kinds: Collection[ArtifactKind],
        limit: int,
        owner: str,
        lease: timedelta,
    ) -> list[ClaimedUpload]:
        rows = [row for row in self._world.transfers.rows.values() if row.artifact.job_id == job_id]
        due = [row for row in rows if self._is_due(row, kinds)]
        return [self._claimed(row, owner, lease) for row in due[:limit]]

    def record(self, uploads: Sequence[StoredUpload]) -> set[int]:
        self.recorded.append(len(uploads))
        if self.failures:
            raise self.failures.pop(0)
        return {upload.claim.transfer_id for upload in uploads if self._record(upload)}

    def renew(self, claims: Collection[Claim]) -> set[int]:
        self.renewed.append(len(claims))
        return {claim.transfer_id for claim in claims if self._renew(claim)}

    def release_leases(self, claims: Collection[Claim]) -> list[Transfer]:
        for claim in claims:
            row = self._world.transfers.rows[claim.transfer_id]
            self.given_back.append(row.artifact)
            self._world.transfers._keep(
                row, state=TransferState.WAITING, attempts=0, lease_owner=None
            )
        self.gave_back.set()
        return [self._world.transfers.rows[claim.transfer_id] for claim in claims]

    def publish(self, transfers: Sequence[Transfer]) -> None:
        states = {self._world.transfers.rows[transfer.id].state for transfer in transfers}
        assert states == {TransferState.WAITING}, "a message may arrive before its commit"
        self.published += [transfer.artifact for transfer in transfers]
        self.sent.release()

    def _is_due(self, row: Transfer, kinds: Collection[ArtifactKind]) -> bool:
        is_first = row.attempts == 0 and row.state in (
            TransferState.REQUESTED,
            TransferState.WAITING,
        )
        return is_first and row.reason_code is None and row.artifact.kind in kinds

    def _claimed(self, row: Transfer, owner: str, lease: timedelta) -> ClaimedUpload:
        claim = self._world.transfers.claim(
            row.artifact, Direction.UPLOAD, row.request_id, owner=owner, lease=lease
        )
        assert claim is not None
        artifact = row.artifact
        run = None if artifact.run_id is None else self._world.runs.find_by_id(artifact.run_id)
        return ClaimedUpload(
            claim=claim,
            request_id=row.request_id,
            job=self._world.jobs.find_by_id(artifact.job_id),
            run=run,
            stored=self._world.artifacts.find(artifact),
        )

    def _record(self, upload: StoredUpload) -> bool:
        try:
            self._world.transfers.record(upload.claim, upload.stored, upload.location)
        except PipelineError:
            return False
        return True

    def _renew(self, claim: Claim) -> bool:
        try:
            self._world.transfers.renew(claim)
        except LeaseLostError:
            return False
        return True


@dataclass
class Watched:
    """What a watch was told, in order."""

    events: list[tuple[str, list[str]]] = field(default_factory=list)
    ends: list[UploadEnd] = field(default_factory=list)
    own: list[UploadEnd] = field(default_factory=list)

    def claimed(self, uploads: Sequence[ClaimedUpload]) -> None:
        self.events.append(("claimed", [upload.request_id for upload in uploads]))

    def releasing(self, uploads: Sequence[ClaimedUpload]) -> None:
        self.events.append(("releasing", [upload.request_id for upload in uploads]))

    def ended(self, ends: Sequence[UploadEnd], own: UploadEnd | None = None) -> None:
        self.events.append(("ended", [end.request_id for end in ends]))
        self.ends += ends
        if own is not None:
            self.own.append(own)


@dataclass(slots=True)
class HeldStore(InMemoryStore):
    """A bucket that keeps the puts of some keys waiting.

    Attributes:
        held: a put of a key that contains one of these waits for `released`.
        begun: is released with each put that begins.
    """

    held: set[str] = field(default_factory=set)
    released: threading.Event = field(default_factory=threading.Event)
    begun: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def put(self, key: str, source: Source, **how: Any) -> StoredObject:
        self.begun.release()
        if any(part in key for part in self.held):
            assert self.released.wait(PATIENCE)
        return InMemoryStore.put(self, key, source, **how)


def page_runner(  # noqa: PLR0913 - as the runner has them
    world: World,
    pages: FakePages,
    limits: PageLimits = UNHURRIED,
    watch: Watched | None = None,
    *,
    turns: PageTurns | None = None,
    done: DoneUploads | None = None,
) -> PageRunner:
    return PageRunner(
        runner=world.runner,
        pages=pages,
        publish=pages.publish,
        renewals=SharedRenewals(pages, world.transfers, world.lease),
        kinds=SMALL_KINDS,
        limits=limits,
        watch=watch,
        turns=turns,
        done=done,
    )
