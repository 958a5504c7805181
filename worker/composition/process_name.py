"""What the leases of a process are known by."""

import os
import socket
from secrets import token_hex

_RANDOM_BYTES = 4


def new_process_name() -> str:
    """Return a name that no other process has, of this or any other machine.

    Host and PID alone are not enough: containers may share a host name, and in each of them the
    worker has the PID 1. The random part follows the PID without a colon: a worker of an earlier
    version that is shut down takes the leases of all that begin with its host, its PID and a colon.
    """
    return f"{socket.gethostname()}:{os.getpid()}-{token_hex(_RANDOM_BYTES)}"
