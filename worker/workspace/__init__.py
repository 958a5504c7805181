"""The workspace adapter: artifacts as files and directories."""

from worker.workspace.workspace import Workspace

__all__ = ["Workspace"]
