"""The memory of processes, as the kernel counts it."""

import time
from collections.abc import Callable
from pathlib import Path

import psutil


def peak_mib(pid: int | str = "self") -> float:
    """Of a process's resident memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    [line] = [line for line in lines if line.startswith("VmHWM")]
    return round(int(line.split()[1]) / 1024, 1)


def watched(worker_pid: int, work: Callable[[], None]) -> tuple[float, float]:
    """Its seconds, and what a prefork worker's largest child had at the peak, in MiB."""
    pids = [child.pid for child in psutil.Process(worker_pid).children()]
    for pid in pids:
        _forget_peak(pid)
    began = time.perf_counter()
    work()
    return time.perf_counter() - began, max(peak_mib(pid) for pid in pids)


def has_pool(worker_pid: int) -> bool:
    """Whether a prefork worker that was just started has its children."""
    return bool(psutil.Process(worker_pid).children())


def _forget_peak(pid: int) -> None:
    """Count from what it has now.

    https://man7.org/linux/man-pages/man5/proc_pid_clear_refs.5.html
    """
    Path(f"/proc/{pid}/clear_refs").write_text("5")
