"""SIGINT in tests that a script has started in its background."""

import signal
import subprocess
import sys

import pytest

from tests.image import ROOT

pytestmark = pytest.mark.processes

_STARTED = """
import signal, subprocess
from tests.interrupts import take_interrupts
take_interrupts()
waiting = subprocess.Popen(["sleep", "60"])
waiting.send_signal(signal.SIGINT)
print(waiting.wait(30))
"""


def test_what_a_background_job_starts_takes_interrupts() -> None:
    # Given a shell that has this job ignore SIGINT
    job = ("sh", "-c", 'trap "" INT; exec "$@"', "sh", sys.executable, "-c", _STARTED)
    # When
    ended = subprocess.run(job, cwd=ROOT, capture_output=True, text=True, check=True)
    # Then
    assert ended.stdout == f"{-signal.SIGINT}\n"
