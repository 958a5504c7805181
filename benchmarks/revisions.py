"""The sources of a commit, written to a directory."""

import io
import shutil
import subprocess
import tarfile
from pathlib import Path


class RevisionError(Exception):
    """Git has no such commit."""


def commit_of(rev: str, repository: Path) -> str:
    """Return the whole name of a commit.

    Raises:
        RevisionError: no commit has this name.
    """
    command = ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{commit}}"]
    found = _git(repository, *command)
    if found.returncode:
        said = found.stderr.decode().strip() or f"no commit in {repository}: see `git log`"
        raise RevisionError(f"{rev!r}: {said}")
    return found.stdout.decode().strip()


def write_sources(commit: str, repository: Path, tree: Path) -> None:
    """Write a commit's sources to a directory, without its history."""
    archive = _git(repository, "archive", commit)
    archive.check_returncode()
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as sources:
        sources.extractall(tree, filter="data")


def _git(repository: Path, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    git = shutil.which("git")
    if git is None:
        raise RevisionError("git is missing: install it")
    return subprocess.run(  # noqa: S603 - Git, and what this module asks of it
        [git, "-C", str(repository), *arguments], capture_output=True, check=False
    )
