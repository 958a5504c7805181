"""This release and the one before it, each as a directory of sources that processes run."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from artifact_pipeline.domain.model.artifacts import Artifact
from benchmarks.revisions import RevisionError, commit_of, write_sources
from tests.image import ROOT

# No release has a tag yet, so it is named here by its commit, and nowhere else in code. This is the
# first commit of main with migration 0013, eight before the newest. It stays the right one until
# there is a release: its workers do not know `transfers.claimed_at`, by which the test tells whose
# worker did an upload, and it lacks more than a later commit would. Name the commit of each release
# here, and tell the workers apart by another column then.
BEFORE = "aaaaa09d8f6d5dea4d821d503138d88b7162eb46"
_PRODUCER = Path(__file__).with_name("producing.py")


class Release(NamedTuple):
    """The sources of a release, and how processes of it differ from those of the other."""

    sources: Path

    @property
    def environment(self) -> dict[str, str]:
        """Return what makes a Python run this release."""
        return {"PYTHONPATH": str(self.sources)}

    def run(self, *arguments: str | Path, settings: dict[str, str]) -> str:
        """Run a Python program to its end, and return what it prints."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("COV_")}
        done = subprocess.run(
            [sys.executable, "-P", *arguments],  # else it imports what is in this directory
            env={**inherited, **settings, **self.environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ask(self, settings: dict[str, str], asked: dict[str, list[Artifact]]) -> None:
        """Ask for uploads as a producer of this release, in each of the named ways."""
        ways = {
            way: [(each.kind, each.job_id, each.run_id) for each in artifacts]
            for way, artifacts in asked.items()
        }
        names = ("ARTIFACTS_DATABASE_URL", "ARTIFACTS_BROKER_URL")
        code = self.run(
            _PRODUCER, *(settings[name] for name in names), json.dumps(ways), settings={}
        )
        assert Path(code.strip()).is_relative_to(self.sources.resolve())


def this_release() -> Release:
    return Release(ROOT)


def release_before(directory: Path) -> Release:
    """Write the sources of the release before to a directory.

    Where the history lacks them, CI fails, and a laptop says what it skips.
    """
    try:
        write_sources(commit_of(BEFORE, ROOT), ROOT, directory)
    except RevisionError as error:
        missing = f"THE RELEASE BEFORE IS MISSING: git fetch --unshallow. {error}"
        end = pytest.fail if os.environ.get("CI") else pytest.skip
        end(missing)
    return Release(directory)
