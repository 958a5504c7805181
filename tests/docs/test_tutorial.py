"""The tutorial's own commands, in their order, against the servers of `artifacts dev`."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from artifact_pipeline.worker.demo.story import seed
from artifact_pipeline.worker.dev.stack import DevStack
from artifact_pipeline.worker.embedded.stack import Ports
from artifact_pipeline.worker.workspace import Workspace
from tests.cli.commands import bare_environment
from tests.forked_commands import forked_artifacts
from tests.image import ROOT

pytestmark = pytest.mark.processes

TUTORIAL = (ROOT / "docs/tutorial.md").read_text()
ACTIVATE, STATUS, *OTHERS = re.findall(r"^```sh\n(.*?)^```", TUTORIAL, re.DOTALL | re.MULTILINE)
[SCRIPT] = re.findall(r"^```python\n(.*?)^```", TUTORIAL, re.DOTALL | re.MULTILINE)
END = "end of a block"
FORKED = """
type -P artifacts
artifacts() { "$FORKED" "$@"; }
"""
"""The installed command is found, and one that starts sooner is called."""


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    """A directory with the environment that `make` makes, and what `make dev` starts of servers."""
    (tmp_path / ".venv").symlink_to(sys.prefix)
    with DevStack(tmp_path / "tutorial", Ports()) as stack:
        seed(stack.engine, Workspace(stack.workspace))
        stack.write_environment()
        (stack.directory / "ask.py").write_text(SCRIPT)
        stack.start_worker("--concurrency", "1")
        stack.start_beat()
        yield tmp_path


def test_the_tutorial_works_as_it_stands(checkout: Path) -> None:
    # When, with the status last, because a reader is slower than the start of the workers
    script = f"\necho {END}\n".join([f"{ACTIVATE}{FORKED}", *OTHERS, STATUS])
    with forked_artifacts(checkout) as program:
        ended = subprocess.run(
            ["/bin/bash", "-euo", "pipefail", "-c", script],
            cwd=checkout,
            env={**bare_environment(), "COLUMNS": "200", "FORKED": str(program)},
            capture_output=True,
            text=True,
            check=False,
        )
    # Then
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found, *others = ended.stdout.split(END)
    assert Path(found.strip()) == Path(sys.prefix, "bin/artifacts")
    upload, listed, own, quarantined, repaired, downloaded, batch, _ = others
    assert upload.count(" done ") == 5
    assert listed.count("s3://artifacts/jobs/12/2025/10/23/211500/") == 5
    assert "transfer 6 is requested" in own
    assert "source_missing" in quarantined
    assert " done " in repaired
    assert '{"mesh": "fine"}' in downloaded
    assert re.search(r"unchanged +5\n", batch)
