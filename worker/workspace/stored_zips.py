"""Zips in the bucket: only the parts that are needed are read."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from artifact_pipeline.domain.catalog.locate import LocateArtifacts
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.objects import BucketObject
from artifact_pipeline.domain.transfers.read import ResumedReads
from artifact_pipeline.worker.workspace.members import RemoteZip
from artifact_pipeline.worker.workspace.ranged_file import RangedFile
from artifact_pipeline.worker.workspace.unpacking import Unpacker


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredZips:
    """Reads zips in the bucket.

    Attributes: `encoding` decodes names in zips that do not name their encoding.
    """

    locate: LocateArtifacts
    reads: ResumedReads
    encoding: str | None = None

    @contextmanager
    def opened(self, artifact: Artifact) -> Iterator[RemoteZip]:
        """Yield the zip of an artifact, from the first place that has it.

        A recorded one costs one request, and another if its list of entries is long. All requests
        are for the same object; if it is replaced, they fail.

        Raises:
            ArtifactMissingError: it is nowhere.
            UnsafeArchiveError: it is broken, or would do harm.
            TransientError, PermanentError: as S3 answers.
        """
        stored = self.locate.first(artifact, lambda found: self._open(artifact, found.object))
        try:
            yield stored
        finally:
            stored.close()

    def _open(self, artifact: Artifact, source: BucketObject) -> RemoteZip:
        stream = RangedFile(partial(self.reads, source), source.size)
        return RemoteZip(Unpacker(artifact=artifact, encoding=self.encoding), stream)
