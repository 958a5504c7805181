"""docker-compose.yml is what the compose specification allows."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.compose.compose_file import TEXT

pytestmark = pytest.mark.processes


def check(text: str, directory: Path) -> subprocess.CompletedProcess[str]:
    file = directory / "docker-compose.yml"
    file.write_text(text)
    command = Path(sys.executable).with_name("check-jsonschema")
    return subprocess.run(
        [command, "--builtin-schema", "vendor.compose-spec", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_file_is_valid(tmp_path: Path) -> None:
    # When
    checked = check(TEXT, tmp_path)
    # Then
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("restart: unless-stopped", "restarts: unless-stopped"),
        ("condition: service_healthy", "condition: service_is_healthy"),
        ("cap_drop: [ALL]", "cap_drop: ALL"),
    ],
    ids=["an unknown key", "an unknown value", "another type"],
)
def test_a_broken_copy_is_refused(tmp_path: Path, right: str, wrong: str) -> None:
    # Given
    assert right in TEXT
    # When
    checked = check(TEXT.replace(right, wrong), tmp_path)
    # Then
    assert checked.returncode == 1
    assert "Schema validation errors" in checked.stdout
