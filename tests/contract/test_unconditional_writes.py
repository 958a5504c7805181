"""Writes to a store that cannot refuse them: what they replace, and what finds it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from artifact_pipeline.domain.errors import ObjectReplacedError
from artifact_pipeline.domain.fakes import InMemoryCopier
from artifact_pipeline.domain.model.artifacts import StoredObject
from artifact_pipeline.domain.model.objects import BucketObject
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from tests.contract.pipeline import CONFIG, CONFIG_KEY
from tests.contract.repositories import Repositories
from tests.contract.test_unknown_writes import with_an_old_path


@dataclass(slots=True)
class UnfencedCopier(InMemoryCopier):
    """Replaces what appears between the look at the key and the copy.

    Attributes:
        meanwhile: called once, between the two.
    """

    meanwhile: Callable[[], object] | None = None

    def copy(self, existing: BucketObject, key: str, **how: Any) -> StoredObject:
        copied = InMemoryCopier.copy(self, existing, key, **how)
        between, self.meanwhile = self.meanwhile, None
        if between is not None:
            content = self.reader.store.objects.pop(key)
            between()
            self.reader.store.objects[key] = content
        return copied


def test_a_copy_that_replaces_an_upload_is_found(repositories: Repositories) -> None:
    # Given an upload that is stored and recorded between the look of a relocation and its copy
    pipeline = with_an_old_path(repositories)
    pipeline.write_file(b"two")
    pipeline.copier = UnfencedCopier(pipeline.reader)  # type: ignore[assignment]
    pipeline.copier.meanwhile = lambda: pipeline.upload("newer")  # type: ignore[attr-defined]
    # When
    failed = pipeline.relocate("move")
    # Then SQL keeps the record of the upload, and knows that the copy may have replaced its object
    assert isinstance(failed, ObjectReplacedError)
    assert pipeline.store.objects[CONFIG_KEY] == b"one"
    moving = pipeline.transfers.latest(CONFIG, Direction.RELOCATE)
    assert moving is not None
    assert moving.state is TransferState.WAITING
    # And the upload is done once more
    pipeline.run_upkeep()
    assert pipeline.store.objects[CONFIG_KEY] == b"two"
    assert pipeline.agrees()
