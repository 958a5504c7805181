"""What a command that serves tells beside its answer: log lines, and its own notes."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from artifact_pipeline.worker.cli.output import note
from artifact_pipeline.worker.logs.formats import set_form
from artifact_pipeline.worker.logs.forms import LogFormat


class _Notes(logging.Handler):
    """Writes log lines as notes."""

    def emit(self, record: logging.LogRecord) -> None:
        note(self.format(record))


@contextmanager
def logged_as_notes(*loggers: str, form: LogFormat) -> Iterator[None]:
    """Write what these loggers log in this form, until the block ends."""
    handler: logging.Handler = _Notes()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    if form == "json":
        handler = _json_handler()
    for name in loggers:
        logging.getLogger(name).addHandler(handler)
    try:
        yield
    finally:
        for name in loggers:
            logging.getLogger(name).removeHandler(handler)


def notes_of(command: str, form: LogFormat) -> Callable[[str], None]:
    """Return what tells a line of the command to stderr: as text, or as a log line in JSON."""
    if form != "json":
        return lambda text: note(f"artifacts {command}: {text}")
    logger = logging.getLogger(f"artifacts.{command}")
    logger.handlers, logger.propagate = [_json_handler()], False
    logger.setLevel(logging.INFO)
    return logger.info


def _json_handler() -> logging.Handler:
    # A note could be wrapped or coloured, and is no JSON then.
    handler = logging.StreamHandler()
    set_form([handler], "json")
    return handler
