"""The use cases over a transfer repository, with a bucket whose answers can be lost."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from artifact_pipeline.domain.catalog.locate import LocateArtifacts
from artifact_pipeline.domain.catalog.placement import Placement
from artifact_pipeline.domain.errors import TransferError
from artifact_pipeline.domain.fakes import (
    InMemoryEndpointFailures,
    InMemoryJobs,
    InMemoryReader,
    InMemoryRuns,
    InMemoryWorkspace,
)
from artifact_pipeline.domain.model.addresses import parse_address
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.jobs import Job, Run
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.domain.model.transfers import Claim, Direction, Transfer, TransferSummary
from artifact_pipeline.domain.transfers.circuit_breaker import Breaker
from artifact_pipeline.domain.transfers.circuits import store_circuit
from artifact_pipeline.domain.transfers.confirm_upload import ConfirmUploads
from artifact_pipeline.domain.transfers.relocate import RelocateArtifacts
from artifact_pipeline.domain.transfers.retry import Backoff, RetryPolicy
from artifact_pipeline.domain.transfers.runner import Handler, TransferRunner
from artifact_pipeline.domain.transfers.upload import UploadArtifact
from artifact_pipeline.domain.transfers.verification import Outcome, VerifyWrites
from tests.contract.repositories import Repositories
from tests.contract.transfer_steps import HOUR, RUN_OUT, published
from tests.contract.unreliable import UnreliableCopier, UnreliableStore

JOB = Job(12, datetime(2025, 10, 23, 21, 15, tzinfo=UTC), status="CREATED")
CONFIG = Artifact(ArtifactKind.JOB_CONFIG, 12)
CONFIG_KEY = "jobs/12/2025/10/23/211500/job_config.json"
NOW = timedelta(0)
_ROUNDS = 20


class AtOnce(Backoff):
    """Without a delay."""

    def delay(self, attempt: int) -> timedelta:  # noqa: ARG002 - Backoff's
        return NOW


@dataclass
class Pipeline:
    """Real use cases over a repository; only S3 and the workspace are in memory.

    Attributes:
        before_record: called once, when the next confirmation is about to record what it has read.
    """

    repositories: Repositories
    store: UnreliableStore = field(default_factory=UnreliableStore)
    workspace: InMemoryWorkspace = field(default_factory=InMemoryWorkspace)
    max_attempts: int = 3
    before_record: Callable[[], object] | None = None

    def __post_init__(self) -> None:
        self.transfers = self.repositories.transfers
        self.artifacts = self.repositories.artifacts
        self.reader = InMemoryReader(self.store)
        self.copier = UnreliableCopier(self.reader)
        self.placement = Placement(jobs=InMemoryJobs(JOB), runs=InMemoryRuns(Run(4, 12)))

    def write_file(self, content: bytes) -> None:
        self.workspace.contents[CONFIG] = content

    def upload(self, request_id: str) -> TransferSummary | TransferError:
        """Deliver the message; what an attempt fails with is returned."""
        return self._run(Direction.UPLOAD, request_id)

    def confirm(self, request_id: str) -> TransferSummary | TransferError:
        """Look for what a client has put; what an attempt fails with is returned."""
        return self._run(Direction.CONFIRM, request_id)

    def relocate(self, request_id: str) -> TransferSummary | TransferError:
        """Copy the object of an old path; what an attempt fails with is returned."""
        return self._run(Direction.RELOCATE, request_id)

    def _run(self, direction: Direction, request_id: str) -> TransferSummary | TransferError:
        try:
            return self.runner(CONFIG, direction, request_id)
        except TransferError as error:
            return error

    def _handler(self, direction: Direction) -> Handler:
        match direction:
            case Direction.UPLOAD:
                return UploadArtifact(
                    transfers=self.transfers,
                    placement=self.placement,
                    artifacts=self.artifacts,
                    workspace=self.workspace,
                    store=self.store,
                )
            case Direction.CONFIRM:
                return ConfirmUploads(
                    transfers=self.transfers,
                    placement=self.placement,
                    artifacts=self.artifacts,
                    reader=self.reader,
                    location=self._location,
                    expires_after=HOUR,
                )
            case _:
                locate = LocateArtifacts(
                    placement=self.placement,
                    artifacts=self.artifacts,
                    reader=self.reader,
                    address_of=parse_address,
                )
                return RelocateArtifacts(locate=locate, copier=self.copier, store=self.store)

    def _location(self, key: str) -> UploadLocation:
        before, self.before_record = self.before_record, None
        if before is not None:
            before()
        return self.store.location(key)

    def deliver(self, transfer: Transfer) -> TransferSummary | TransferError:
        """Deliver the message of the transfer to its task."""
        task = {
            Direction.UPLOAD: self.upload,
            Direction.CONFIRM: self.confirm,
            Direction.RELOCATE: self.relocate,
        }
        return task[transfer.direction](transfer.request_id)

    def client_puts(self, content: bytes) -> None:
        """Let a client use its upload URL."""
        self.store.objects[CONFIG_KEY] = content
        address = ObjectAddress(self.reader.bucket, CONFIG_KEY)
        self.reader.modified_at[address] = self.transfers.now()

    @property
    def runner(self) -> TransferRunner:
        policy = RetryPolicy(
            circuits=(store_circuit(self._breaker(), "S3"),),
            max_attempts=self.max_attempts,
            backoff=AtOnce(),
        )
        return TransferRunner(
            transfers=self.transfers,
            handler_of=self._handler,
            policy=policy,
            owner="worker-1",
            lease=HOUR,
        )

    def _breaker(self) -> Breaker:
        return Breaker(
            InMemoryEndpointFailures(), self.store.endpoint, threshold=1000, cool_off=HOUR
        )

    def expire_lease(self) -> None:
        """Let the lease of the running transfer run out."""
        self.transfers.renew(self.holder(lease=RUN_OUT))

    def holder(self, lease: timedelta = HOUR) -> Claim:
        transfer = self.latest()
        return Claim(
            transfer_id=transfer.id,
            artifact=transfer.artifact,
            direction=transfer.direction,
            owner=transfer.lease_owner or "",
            fence=transfer.fence,
            attempt=transfer.attempts,
            requested_at=transfer.requested_at,
            lease=lease,
        )

    def take_over(self) -> Claim:
        """Let another worker claim the running transfer."""
        self.expire_lease()
        transfer = self.latest()
        claim = self.transfers.claim(
            CONFIG, Direction.UPLOAD, transfer.request_id, owner="worker-2", lease=HOUR
        )
        assert claim is not None
        return claim

    def latest(self) -> Transfer:
        transfer = self.transfers.latest(CONFIG, Direction.UPLOAD)
        assert transfer is not None
        return transfer

    def run_upkeep(self) -> None:
        """Run what beat asks for, and the messages that it sends, until nothing is due."""
        for _ in range(_ROUNDS):
            outcomes = self.verify()
            due = published(self.transfers, republish_after=NOW)
            if not due and not outcomes:
                return
            for transfer in due:
                self.deliver(transfer)
        raise AssertionError(f"still due: {due}")

    def verify(self) -> Counter[Outcome]:
        verify = VerifyWrites(
            verifications=self.repositories.verifications,
            transfers=self.transfers,
            artifacts=self.artifacts,
            placement=self.placement,
            reader=self.reader,
            location=self.store.location,
            settles_after=dict.fromkeys(Direction, NOW),
        )
        return verify()

    def agrees(self) -> bool:
        """Whether SQL records what the bucket holds, and nothing is active."""
        stored = self.artifacts.find(CONFIG)
        has_object = CONFIG_KEY in self.store.objects
        is_recorded = stored is not None and self.store.holds(stored.object)
        return not self.latest().state.is_active and has_object == is_recorded
