"""What the commands work with that move something in the bucket themselves."""

import os
import socket

from worker.adapters import Adapters
from worker.settings import OperatorSettings, load


def adapters() -> Adapters:
    """Of this process. Raises: ConfigurationError."""
    return Adapters(load(OperatorSettings), owner=f"command:{socket.gethostname()}:{os.getpid()}")
