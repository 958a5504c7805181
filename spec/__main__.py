"""Explore the models, then each mutation: `python -m spec [--bounded | --largest]`."""

import argparse
import time
from typing import Any

from spec.catalogue import BOUNDED, LARGEST, MUTATIONS, WHOLE
from spec.search import Found, Model, explore


def main() -> int:
    started = time.monotonic()
    models = _models()
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


def _models() -> dict[str, Model[Any]]:
    parser = argparse.ArgumentParser(prog="python -m spec", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--bounded", action="store_true", help="the smaller models, for each change")
    size.add_argument("--largest", action="store_true", help="the largest one too: 15 minutes")
    options = parser.parse_args()
    if options.bounded:
        return BOUNDED
    return WHOLE | LARGEST if options.largest else WHOLE


def _explored(name: str, model: Model[Any], otherwise: str) -> Found:
    started = time.monotonic()
    found = explore(model)
    seconds = time.monotonic() - started
    steps = f" after {len(found.trace)} steps" if found.broken else ""
    result = found.broken or otherwise
    print(f"{name}: {found.states:,} states in {seconds:.1f} s: {result}{steps}", flush=True)
    return found


if __name__ == "__main__":
    raise SystemExit(main())
