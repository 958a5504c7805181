"""The memory of a worker, once what it needed for a transfer is freed."""

import os
import platform
import subprocess
import sys

import pytest

# Blocks of 5 MiB with small ones between them, which stay: they would keep a heap from shrinking.
_BLOCKS = """
import os, sys
from artifact_pipeline.worker.lifecycle.allocator import keep_heaps_small

def resident_mib():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20

if sys.argv[1] == "returned":
    keep_heaps_small()
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

# Threads that are there at once, so that none takes over the heap of another.
_THREADS = """
import os, sys
from threading import Barrier, Thread
from artifact_pipeline.worker.lifecycle.allocator import keep_heaps_small

def reserved_mib():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[0]) * os.sysconf("SC_PAGESIZE") / 2**20

if sys.argv[1] == "returned":
    keep_heaps_small()
meeting = Barrier(9)

def work():
    block = bytearray(10_000)
    meeting.wait()
    meeting.wait()

before = reserved_mib()
threads = [Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
meeting.wait()
print(reserved_mib() - before)
meeting.wait()
"""

pytestmark = pytest.mark.processes

_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="no mallopt")


def grown_mib(program: str, how: str, **environment: str) -> float:
    """Return by how much the memory of a program has grown at its end."""
    done = subprocess.run(
        [sys.executable, "-c", program, how],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


@_glibc
def test_large_blocks_go_back_to_the_system() -> None:
    assert grown_mib(_BLOCKS, "returned") < 16 < grown_mib(_BLOCKS, "as it comes")


@_glibc
def test_threads_share_a_heap() -> None:
    # Each heap reserves 64 MiB of addresses, each stack as much as `ulimit -s` says.
    shared, separate = grown_mib(_THREADS, "returned"), grown_mib(_THREADS, "as it comes")
    assert separate - shared > 4 * 64


@_glibc
def test_an_operator_s_own_choice_stays() -> None:
    assert grown_mib(_BLOCKS, "returned", MALLOC_MMAP_THRESHOLD_=str(32 * 2**20)) > 16
