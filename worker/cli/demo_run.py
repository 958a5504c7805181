"""`artifacts demo`, told or as JSON."""

import shlex
import signal
from pathlib import Path

from artifact_pipeline.worker.cli.output import err, out, print_json
from artifact_pipeline.worker.cli.signals import unwind_on_signals
from artifact_pipeline.worker.demo.narrator import ConsoleNarrator, SilentNarrator
from artifact_pipeline.worker.demo.player import Outcome, play
from artifact_pipeline.worker.embedded.lifeline import temporary_directory
from artifact_pipeline.worker.embedded.servers import require_servers
from artifact_pipeline.worker.embedded.stack import EmbeddedStack


def show_demo(results_dir: Path | None, *, keep: bool, as_json: bool) -> None:
    """Play the story; with `keep`, leave the servers running until a signal."""
    unwind_on_signals()
    require_servers("artifacts demo", "ministack")
    with temporary_directory() as directory, EmbeddedStack(directory) as stack:
        print_json(_run_silently(stack, results_dir).as_json()) if as_json else _told(
            stack, results_dir
        )
        if keep:
            _stay(stack)


def _run_silently(stack: EmbeddedStack, results_dir: Path | None) -> Outcome:
    return play(stack, SilentNarrator(), results_dir)


def _told(stack: EmbeddedStack, results_dir: Path | None) -> None:
    narrator = ConsoleNarrator(out)
    narrator.opening()
    narrator.ending(play(stack, narrator, results_dir))


def _stay(stack: EmbeddedStack) -> None:
    """Say on stderr how to look at it, and wait for a signal."""
    err.print("\nIt goes on running; Ctrl-C ends it. In another terminal:\n", highlight=False)
    for name, value in stack.settings().items():
        line = f"  export {name}={shlex.quote(value)}"
        err.print(line, highlight=False, markup=False, soft_wrap=True)
    err.print("\n  artifacts jobs info --job-id 12", highlight=False)
    err.print("  artifacts jobs upload --job-id 12 --run-id 4 --wait", highlight=False)
    try:
        signal.pause()
    except KeyboardInterrupt:
        err.print("stopping")
