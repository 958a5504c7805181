"""SIGINT in tests, also where a script has started them in its background."""

import signal


def take_interrupts() -> None:
    """Have this process take SIGINT, and what it starts.

    A shell without a terminal has its background jobs ignore SIGINT, and so do all processes that
    these start. The tests that send it would wait in vain.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
