"""Signals that end a command so that nothing of it stays behind."""

import signal
import sys
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_AGAIN_SECONDS = 0.01


def unwind_on_signals() -> None:
    """Have SIGTERM and SIGHUP unwind like Ctrl-C does, and none of the three be lost."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, _exit)
    sys.unraisablehook = _reraise


def _exit(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _reraise(unraisable: "UnraisableHookArgs") -> None:
    # An exception that a signal raises within a destructor ends there, so raise it again a moment
    # later.
    swallowed = unraisable.exc_value
    if not isinstance(swallowed, (KeyboardInterrupt, SystemExit)):
        sys.__unraisablehook__(unraisable)
        return

    def again(_number: int, _frame: FrameType | None) -> None:
        raise swallowed

    signal.signal(signal.SIGALRM, again)
    signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS)
