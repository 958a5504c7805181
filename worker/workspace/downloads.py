"""The directory that a job's artifacts are downloaded to."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.worker.workspace.directories import RootCheck
from artifact_pipeline.worker.workspace.extract import Extraction
from artifact_pipeline.worker.workspace.members import MemberDirectory
from artifact_pipeline.worker.workspace.places import download_place, source_place
from artifact_pipeline.worker.workspace.target import Target


@dataclass(frozen=True, slots=True)
class DownloadDirectory:
    """The directory of one job's downloads.

    Attributes:
        root: may be a link. Below it, users' programs write, so no link is followed there.
        below: the job's directory relative to the root; by default the root itself.
        check: of the root, where it is a workspace.

    Example:
        >>> DownloadDirectory(Path("here")).target(Artifact(ArtifactKind.RUN_CONFIG, 12, 4)).place
        'run_4_config.json'
    """

    root: Path
    below: str = "."
    check: RootCheck | None = None

    def target(self, artifact: Artifact) -> Target:
        """Return the artifact's file, without making or looking at anything."""
        return Target(artifact, self.root, str(self._place(download_place(artifact))), self.check)

    def extraction(self, artifact: Artifact, encoding: str | None = None) -> Extraction:
        """Return how the downloaded zip is unpacked.

        Results go to where they would be uploaded from, other zips to a directory of their own.

        Args:
            artifact: whose zip.
            encoding: of names in the zip that do not name their encoding.
        """
        return Extraction(
            artifact=artifact,
            root=self.root,
            archive=self._place(download_place(artifact)),
            into=self._unpacked(artifact),
            check=self.check,
            encoding=encoding,
        )

    def members(self, artifact: Artifact) -> MemberDirectory:
        """Return where single files of the artifact's zip go: a directory beside the zip.

        Results must not go to where they are uploaded from: an upload would take a few files for
        all results of the run.
        """
        return MemberDirectory(
            artifact=artifact, root=self.root, into=self._beside_zip(artifact), check=self.check
        )

    def _unpacked(self, artifact: Artifact) -> PurePosixPath:
        if artifact.kind.is_packed:
            return self._place(source_place(artifact))
        return self._beside_zip(artifact)

    def _beside_zip(self, artifact: Artifact) -> PurePosixPath:
        return self._place(download_place(artifact)).with_suffix("")

    def _place(self, name: str) -> PurePosixPath:
        return PurePosixPath(self.below, name)
