"""Explore every model whole, then each mutation: `python -m spec [--bounded]`."""

import sys
import time

from spec.catalogue import BOUNDED, MUTATIONS, WHOLE
from spec.search import explore


def main() -> int:
    models = BOUNDED if "--bounded" in sys.argv else WHOLE
    failed = 0
    for name, model in models.items():
        started = time.monotonic()
        found = explore(model)
        seconds = time.monotonic() - started
        print(f"{name}: {found.states:,} states in {seconds:.1f} s: {found.broken or 'holds'}")
        print(*(f"    {step}" for step in found.trace), sep="\n", end="\n" if found.trace else "")
        failed += found.broken is not None
    for name, model in MUTATIONS.items():
        started = time.monotonic()
        found = explore(model)
        seconds = time.monotonic() - started
        print(f"without “{name}”: {found.broken or 'NOT CAUGHT'}, {len(found.trace)} steps, {found.states:,} states in {seconds:.1f} s")
        failed += found.broken is None
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
