"""A platform, a workspace and a bucket in memory, and the use case over them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from domain.artifacts import Artifact, ArtifactKind
from domain.attempts import Attempts
from domain.breaker import Breaker
from domain.circuits import Circuit, s3_circuit
from domain.confirm import ConfirmUploads
from domain.download import DownloadArtifacts, FetchArtifact
from domain.errors import InvalidRequestError
from domain.fakes import (
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
from domain.fetch import Fetch
from domain.jobs import Job, Run
from domain.locate import LocateArtifacts
from domain.objects import ObjectAddress
from domain.placement import Placement
from domain.relocate import RelocateArtifacts
from domain.retry import Backoff
from domain.transfers import Claim, Direction, Transfer, TransferSummary
from domain.upload import UploadArtifact

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

    def __post_init__(self) -> None:
        self.artifacts = InMemoryArtifacts(self.jobs, self.clock)
        self.store = InMemoryStore(clock=self.clock)
        self.transfers = InMemoryTransfers(self.artifacts, self.clock)
        self.breaker = self.new_breaker()
        self.reader = InMemoryReader(self.store)
        self.copier = InMemoryCopier(self.reader)

    def new_breaker(self, threshold: int = 5) -> Breaker:
        """One as another process has it."""
        return Breaker(
            self.failures,
            self.store.endpoint,
            threshold=threshold,
            cool_off=COOL_OFF,
            clock=lambda: self.clock().timestamp(),
        )

    @property
    def attempts(self) -> Attempts:
        return Attempts(
            transfers=self.transfers,
            owner="worker-1",
            lease=self.lease,
            max_attempts=self.max_attempts,
            backoff=SureBackoff(),
            circuits=(s3_circuit(self.breaker), *self.circuits),
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
    def confirm(self) -> ConfirmUploads:
        return ConfirmUploads(
            attempts=self.attempts,
            placement=self.placement,
            artifacts=self.artifacts,
            reader=self.reader,
            location=self.store.location,
            publish=self.published.extend,
            expires_after=EXPIRES_AFTER,
        )

    @property
    def download(self) -> DownloadArtifacts:
        fetch = Fetch(reader=self.reader, range_size=8, threads=2)
        return DownloadArtifacts(
            attempts=self.attempts,
            fetch=FetchArtifact(locate=self.locate, fetch=fetch),
            target_of=lambda artifact: self.targets.setdefault(artifact, InMemoryTarget()),
            publish=self.published.extend,
        )

    @property
    def relocate(self) -> RelocateArtifacts:
        return RelocateArtifacts(
            attempts=self.attempts,
            locate=self.locate,
            copier=self.copier,
            store=self.store,
            publish=self.published.extend,
        )

    def put(self, key: str, content: bytes, modified_at: datetime | None = None) -> ObjectAddress:
        """Somebody puts an object without metadata, now by default."""
        address = ObjectAddress(self.reader.bucket, key)
        self.store.metadata.pop(key, None)
        self.store.objects[key] = content
        self.reader.modified_at[address] = modified_at or self.clock()
        return address

    def upload(self, artifact: Artifact = CONFIG, request_id: str = "a") -> TransferSummary:
        use_case = UploadArtifact(
            attempts=self.attempts,
            placement=self.placement,
            artifacts=self.artifacts,
            workspace=self.workspace,
            store=self.store,
        )
        return use_case(artifact, request_id)

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
