import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.once import made_once

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def wheel(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of these sources."""

    def build(directory: Path) -> None:
        _python("build", "--wheel", "--no-isolation", "--outdir", str(directory), cwd=sources)

    (built,) = made_once(tmp_path_factory, "wheel", build).glob("*.whl")
    return built


def _python(module: str, *arguments: str, cwd: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=cwd,
        env={**os.environ, "PIP_NO_INPUT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
