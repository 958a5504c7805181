"""The handlers of a worker: one for each direction, made when a transfer needs it."""

from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property

from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.domain.transfers.circuits import Circuit
from artifact_pipeline.domain.transfers.confirm_upload import ConfirmUploads
from artifact_pipeline.domain.transfers.download import DownloadArtifacts
from artifact_pipeline.domain.transfers.relocate import RelocateArtifacts
from artifact_pipeline.domain.transfers.runner import Handler
from artifact_pipeline.domain.transfers.upload import UploadArtifact
from artifact_pipeline.worker.composition.adapters import Adapters
from artifact_pipeline.worker.composition.workspaces import WorkspaceAdapters
from artifact_pipeline.worker.settings import WorkerSettings

# A PUT that began before its URL expired may take so long.
_LONGEST_PUT = timedelta(hours=1)


class Handlers:
    """The handlers of one process, on its connections."""

    def __init__(self, settings: WorkerSettings, adapters: Adapters) -> None:
        self._settings = settings
        self._adapters = adapters

    def __call__(self, direction: Direction) -> Handler:
        """Return the handler of the direction, and make no other."""
        match direction:
            case Direction.UPLOAD:
                return self.upload
            case Direction.DOWNLOAD:
                return self.download
            case Direction.CONFIRM:
                return self.confirm
            case Direction.RELOCATE:
                return self.relocate

    @property
    def circuits(self) -> Sequence[Circuit]:
        """The circuits of what handlers use besides S3."""
        return self._files.circuits

    @property
    def upload_url_lifetime(self) -> timedelta:
        """How long after its request an upload URL may still be in use."""
        return timedelta(seconds=self._settings.url_expires) + _LONGEST_PUT

    @cached_property
    def upload(self) -> UploadArtifact:
        return UploadArtifact(
            transfers=self._adapters.transfers,
            placement=self._adapters.placement,
            artifacts=self._adapters.artifacts,
            workspace=self._files.workspace,
            store=self._adapters.store,
        )

    @cached_property
    def download(self) -> DownloadArtifacts:
        return DownloadArtifacts(fetch=self._adapters.fetch, target_of=self._files.workspace.target)

    @cached_property
    def confirm(self) -> ConfirmUploads:
        return ConfirmUploads(
            transfers=self._adapters.transfers,
            placement=self._adapters.placement,
            artifacts=self._adapters.artifacts,
            reader=self._adapters.reader,
            location=self._adapters.store.location,
            expires_after=self.upload_url_lifetime,
        )

    @property
    def relocate(self) -> RelocateArtifacts:
        return self._adapters.relocate()

    @cached_property
    def _files(self) -> WorkspaceAdapters:
        return WorkspaceAdapters(self._settings, self._adapters.engine)
