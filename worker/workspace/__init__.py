"""The workspace adapter: artifacts as files and directories."""

from artifact_pipeline.worker.workspace.downloads import DownloadDirectory
from artifact_pipeline.worker.workspace.workspace import Workspace

__all__ = ["DownloadDirectory", "Workspace"]
