"""The memory of a worker, once what it needed for a transfer is freed."""

import os
import platform
import subprocess
import sys

import pytest

# Blocks of 5 MiB with small ones between them, which stay: they would keep a heap from shrinking.
_PROGRAM = """
import os, sys
from worker.allocator import return_large_blocks

def resident_mib():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20

if sys.argv[1] == "returned":
    return_large_blocks()
del_me = bytes(b"x" * 16 * 2**20)
del del_me
before = resident_mib()
blocks, kept = [], []
for number in range(12):
    blocks.append(b"%d" % (number % 10) * 5 * 2**20)
    kept.append(bytearray(100_000))
blocks.clear()
print(resident_mib() - before)
"""

pytestmark = pytest.mark.processes

_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="no mallopt")


def kept_mib(how: str, **environment: str) -> float:
    """Return by how much the memory of a program has grown at its end."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, how],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


@_glibc
def test_large_blocks_go_back_to_the_system() -> None:
    assert kept_mib("returned") < 16 < kept_mib("as it comes")


@_glibc
def test_an_operator_s_own_choice_stays() -> None:
    assert kept_mib("returned", MALLOC_MMAP_THRESHOLD_=str(32 * 2**20)) > 16
