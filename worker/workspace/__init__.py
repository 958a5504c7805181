"""The workspace adapter: artifacts as files and directories."""

from worker.workspace.downloads import DownloadDirectory
from worker.workspace.workspace import Workspace

__all__ = ["DownloadDirectory", "Workspace"]
