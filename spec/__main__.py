"""Explore every model whole, then each mutation: `python -m spec [--bounded]`."""

import sys
import time
from typing import Any

from spec.catalogue import BOUNDED, MUTATIONS, WHOLE
from spec.search import Found, Model, explore


def main() -> int:
    started = time.monotonic()
    models = BOUNDED if "--bounded" in sys.argv else WHOLE
    failed = 0
    for name, model in models.items():
        found = _explored(name, model, "holds")
        print(*(f"    {step}" for step in found.trace), sep="\n", end="\n" if found.trace else "")
        failed += found.broken is not None
    for name, model in MUTATIONS.items():
        found = _explored(f"without “{name}”", model, "NOT CAUGHT")
        failed += found.broken is None
    print(f"{len(models)} models, {len(MUTATIONS)} mutations, {time.monotonic() - started:.0f} s")
    return min(failed, 1)


def _explored(name: str, model: Model[Any], otherwise: str) -> Found:
    started = time.monotonic()
    found = explore(model)
    seconds = time.monotonic() - started
    steps = f" after {len(found.trace)} steps" if found.broken else ""
    result = found.broken or otherwise
    print(f"{name}: {found.states:,} states in {seconds:.1f} s: {result}{steps}", flush=True)
    return found


if __name__ == "__main__":
    sys.exit(main())
