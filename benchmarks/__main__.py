"""Run all, print them, and write benchmarks/report.json."""

import json
from pathlib import Path

from benchmarks.counts import count_small_upload
from benchmarks.download import measure_download
from benchmarks.memory import peak_of_results

_MIB = 2**20


def main() -> None:
    counts = count_small_upload()
    small, large = peak_of_results(10 * _MIB), peak_of_results(1024 * _MIB)
    report = {
        "one_small_upload": counts,
        "worker_peak_memory_mib": {"10 MiB of results": small, "1 GiB of results": large},
        "download": measure_download(),
    }
    text = json.dumps(report, indent=2)
    Path(__file__).with_name("report.json").write_text(text + "\n")
    print(text)


main()
