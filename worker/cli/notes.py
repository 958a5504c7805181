"""Log lines of a command that serves, beside its answer."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from artifact_pipeline.worker.cli.output import note


class _Notes(logging.Handler):
    """Writes log lines as notes."""

    def emit(self, record: logging.LogRecord) -> None:
        note(self.format(record))


@contextmanager
def logged_as_notes(*loggers: str) -> Iterator[None]:
    """Write what these loggers log, until the block ends."""
    handler = _Notes()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    for name in loggers:
        logging.getLogger(name).addHandler(handler)
    try:
        yield
    finally:
        for name in loggers:
            logging.getLogger(name).removeHandler(handler)
