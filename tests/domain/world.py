"""A platform, a workspace and a bucket in memory, and the use case over them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

from artifact_pipeline.domain.catalog.locate import LocateArtifacts
from artifact_pipeline.domain.catalog.placement import Placement
from artifact_pipeline.domain.catalog.shifted import ShiftedArtifacts
from artifact_pipeline.domain.errors import InvalidRequestError, PipelineError
from artifact_pipeline.domain.fakes import (
    InMemoryArtifacts,
    InMemoryCopier,
    InMemoryEndpointFailures,
    InMemoryJobs,
    InMemoryReader,
    InMemoryRuns,
    InMemoryStore,
    InMemoryTarget,
    InMemoryTransfers,
    InMemoryWorkspace,
)
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.found_artifacts import FoundArtifact
from artifact_pipeline.domain.model.jobs import Job, Run
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.domain.model.transfers import Claim, Direction, Transfer, TransferSummary
from artifact_pipeline.domain.ports.tracing import NoTracing, Tracing
from artifact_pipeline.domain.transfers.circuit_breaker import Breaker
from artifact_pipeline.domain.transfers.circuits import Circuit, store_circuit
from artifact_pipeline.domain.transfers.confirm_upload import ConfirmUploads, RequestConfirmations
from artifact_pipeline.domain.transfers.download import (
    DownloadArtifacts,
    FetchArtifact,
    RequestDownloads,
)
from artifact_pipeline.domain.transfers.ranged_download import Fetch
from artifact_pipeline.domain.transfers.relocate import (
    RelocateArtifacts,
    RequestRelocations,
    plan_relocations,
)
from artifact_pipeline.domain.transfers.retry import Backoff, RetryPolicy
from artifact_pipeline.domain.transfers.runner import Handler, TransferRunner
from artifact_pipeline.domain.transfers.upload import UploadArtifact

JOB = Job(12, datetime(2025, 10, 23, 21, 15, tzinfo=UTC), status="CREATED")
CONFIG = Artifact(ArtifactKind.JOB_CONFIG, 12)
RESULTS = Artifact(ArtifactKind.RUN_RESULTS, 12, 4)
CONFIG_KEY = "jobs/12/2025/10/23/211500/job_config.json"
LEASE = timedelta(minutes=2)
COOL_OFF = timedelta(seconds=30)
EXPIRES_AFTER = timedelta(hours=2)


@dataclass
class Clock:
    moment: datetime = JOB.created_at

    def __call__(self) -> datetime:
        return self.moment

    def advance(self, by: timedelta) -> None:
        self.moment += by


class SureBackoff(Backoff):
    """Without jitter."""

    def delay(self, attempt: int) -> timedelta:
        return self.base * attempt


@dataclass
class World:
    """Job 12 with its run 4, and a run 7 of job 13."""

    clock: Clock = field(default_factory=Clock)
    jobs: InMemoryJobs = field(
        default_factory=lambda: InMemoryJobs(JOB, Job(13, JOB.created_at + timedelta(days=1)))
    )
    runs: InMemoryRuns = field(default_factory=lambda: InMemoryRuns(Run(4, 12), Run(7, 13)))
    artifacts: InMemoryArtifacts = field(init=False)
    workspace: InMemoryWorkspace = field(default_factory=InMemoryWorkspace)
    failures: InMemoryEndpointFailures = field(default_factory=InMemoryEndpointFailures)
    targets: dict[Artifact, InMemoryTarget] = field(default_factory=dict)
    published: list[Transfer] = field(default_factory=list)
    max_attempts: int = 3
    lease: timedelta = LEASE
    circuits: Sequence[Circuit] = ()
    tracing: Tracing = field(default_factory=NoTracing)

    def __post_init__(self) -> None:
        self.artifacts = InMemoryArtifacts(self.jobs, self.clock)
        self.store = InMemoryStore(clock=self.clock)
        self.transfers = InMemoryTransfers(self.artifacts, self.clock)
        self.breaker = self.new_breaker()
        self.reader = InMemoryReader(self.store)
        self.copier = InMemoryCopier(self.reader, archive_tier="GLACIER")

    def new_breaker(self, threshold: int = 5) -> Breaker:
        """One as another process has it."""
        return Breaker(
            self.failures,
            self.store.endpoint,
            threshold=threshold,
            cool_off=COOL_OFF,
            clock=lambda: self.clock().timestamp(),
        )

    def runner(self, shifted: ShiftedArtifacts | None = None) -> TransferRunner:
        policy = RetryPolicy(
            max_attempts=self.max_attempts,
            backoff=SureBackoff(),
            circuits=(store_circuit(self.breaker, "S3"), *self.circuits),
            retries=shifted is None,
        )
        return TransferRunner(
            transfers=self.transfers,
            handler_of=partial(self.handler, shifted=shifted),
            policy=policy,
            owner="worker-1",
            lease=self.lease,
            tracing=self.tracing,
        )

    def handler(self, direction: Direction, shifted: ShiftedArtifacts | None = None) -> Handler:
        match direction:
            case Direction.UPLOAD:
                return UploadArtifact(
                    transfers=self.transfers,
                    placement=self.placement,
                    artifacts=self.artifacts,
                    workspace=self.workspace,
                    store=self.store,
                )
            case Direction.DOWNLOAD:
                return DownloadArtifacts(
                    fetch=self.fetch,
                    target_of=lambda artifact: self.targets.setdefault(artifact, InMemoryTarget()),
                )
            case Direction.CONFIRM:
                return ConfirmUploads(
                    transfers=self.transfers,
                    placement=self.placement,
                    artifacts=self.artifacts,
                    reader=self.reader,
                    location=self.store.location,
                    expires_after=EXPIRES_AFTER,
                )
            case Direction.RELOCATE:
                return RelocateArtifacts(
                    locate=self.locate, copier=self.copier, store=self.store, shifted=shifted
                )

    @property
    def placement(self) -> Placement:
        return Placement(jobs=self.jobs, runs=self.runs)

    @property
    def locate(self) -> LocateArtifacts:
        return LocateArtifacts(
            placement=self.placement,
            artifacts=self.artifacts,
            reader=self.reader,
            address_of=_address_of,
        )

    @property
    def fetch(self) -> FetchArtifact:
        fetch = Fetch(reader=self.reader, range_size=8, threads=2)
        return FetchArtifact(locate=self.locate, fetch=fetch)

    def confirm(self, artifact: Artifact, request_id: str) -> TransferSummary:
        return self.runner()(artifact, Direction.CONFIRM, request_id)

    def download(self, artifact: Artifact, request_id: str) -> TransferSummary:
        return self.runner()(artifact, Direction.DOWNLOAD, request_id)

    def relocate(self, artifact: Artifact, request_id: str) -> TransferSummary:
        return self.runner()(artifact, Direction.RELOCATE, request_id)

    def planned(self, job_id: int, shifted: ShiftedArtifacts | None = None) -> list[FoundArtifact]:
        return plan_relocations(job_id, self.locate, shifted)[0]

    def relocate_here(
        self, planned: Sequence[FoundArtifact], shifted: ShiftedArtifacts | None = None
    ) -> Iterator[tuple[FoundArtifact, TransferSummary | PipelineError]]:
        artifacts = (found.artifact for found in planned)
        outcomes = self.runner(shifted).each(artifacts, Direction.RELOCATE)
        return zip(planned, outcomes, strict=True)

    @property
    def request_confirmations(self) -> RequestConfirmations:
        return RequestConfirmations(
            transfers=self.transfers,
            placement=self.placement,
            artifacts=self.artifacts,
            reader=self.reader,
            publish=self.published.extend,
        )

    @property
    def request_downloads(self) -> RequestDownloads:
        return RequestDownloads(
            transfers=self.transfers, locate=self.locate, publish=self.published.extend
        )

    @property
    def request_relocations(self) -> RequestRelocations:
        return RequestRelocations(
            transfers=self.transfers, locate=self.locate, publish=self.published.extend
        )

    def put(self, key: str, content: bytes, modified_at: datetime | None = None) -> ObjectAddress:
        """Somebody puts an object without metadata, now by default."""
        address = ObjectAddress(self.reader.bucket, key)
        self.store.metadata.pop(key, None)
        self.store.objects[key] = content
        self.reader.modified_at[address] = modified_at or self.clock()
        return address

    def upload(self, artifact: Artifact = CONFIG, request_id: str = "a") -> TransferSummary:
        return self.runner()(artifact, Direction.UPLOAD, request_id)

    def latest(
        self, artifact: Artifact = CONFIG, direction: Direction = Direction.UPLOAD
    ) -> Transfer:
        transfer = self.transfers.latest(artifact, direction)
        assert transfer is not None
        return transfer

    def claim(self, lease: timedelta = LEASE, owner: str = "worker-2") -> Claim:
        claim = self.transfers.claim(CONFIG, Direction.UPLOAD, "a", owner=owner, lease=lease)
        assert claim is not None
        return claim


def _address_of(url: str) -> ObjectAddress:
    scheme, _, rest = url.partition("://")
    if scheme != "https":
        raise InvalidRequestError("not a URL")
    host, _, key = rest.partition("/")
    return ObjectAddress(host.removesuffix(".s3.invalid"), key)
