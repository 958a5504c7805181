"""A bucket whose answers can be lost."""

from collections.abc import Callable
from dataclasses import dataclass

from artifact_pipeline.domain.errors import StoreUnavailableError
from artifact_pipeline.domain.fakes import InMemoryCopier, InMemoryStore
from artifact_pipeline.domain.model.artifacts import StoredObject
from artifact_pipeline.domain.model.objects import BucketObject
from artifact_pipeline.domain.model.preconditions import Precondition
from artifact_pipeline.domain.ports.object_store import UploadProgress
from artifact_pipeline.domain.ports.workspace import Source


@dataclass(slots=True)
class UnreliableStore(InMemoryStore):
    """A bucket that carries out its next writes, and whose answers to them are lost.

    Attributes:
        lost_answers: how many writes to come have no answer.
        before_write: called once, when the next write has left its worker.
    """

    lost_answers: int = 0
    before_write: Callable[[], object] | None = None

    def put(  # noqa: PLR0913 - as the port has it
        self,
        key: str,
        source: Source,
        *,
        content_type: str,
        metadata: dict[str, str],
        precondition: Precondition,
        progress: UploadProgress,
    ) -> StoredObject:
        before, self.before_write = self.before_write, None
        if before is not None:
            before()
        stored = InMemoryStore.put(
            self,
            key,
            source,
            content_type=content_type,
            metadata=metadata,
            precondition=precondition,
            progress=progress,
        )
        if self.lost_answers:
            self.lost_answers -= 1
            raise StoreUnavailableError("the answer was lost")
        return stored


@dataclass(slots=True)
class UnreliableCopier(InMemoryCopier):
    """Carries out its next copies, and loses the answers to them.

    Attributes:
        lost_answers: how many copies to come have no answer.
    """

    lost_answers: int = 0

    def copy(  # noqa: PLR0913 - as the port has it
        self,
        source: BucketObject,
        key: str,
        *,
        content_type: str,
        metadata: dict[str, str],
        precondition: Precondition,
        tier_name: str,
        progress: UploadProgress,
    ) -> StoredObject:
        copied = InMemoryCopier.copy(
            self,
            source,
            key,
            content_type=content_type,
            metadata=metadata,
            precondition=precondition,
            tier_name=tier_name,
            progress=progress,
        )
        if self.lost_answers:
            self.lost_answers -= 1
            raise StoreUnavailableError("the answer was lost")
        return copied
