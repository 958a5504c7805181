"""The command line's root: `artifacts`."""

import atexit
import errno
import gc
import signal
import sys

# Import only this here: Ctrl-C while the rest is imported must not end in a traceback.
COMMANDS = {
    "agent": (
        "artifact_pipeline.worker.cli.agent",
        "Serve this container's workspace, which no other host sees, until it ends.",
    ),
    "audit": (
        "artifact_pipeline.worker.cli.audit.commands",
        "Compare the whole store with all that is recorded, and report what is lost or unknown.",
    ),
    "batch": (
        "artifact_pipeline.worker.cli.batch.commands",
        "Run many transfers again: preview, start, watch, pause, report.",
    ),
    "db": (
        "artifact_pipeline.worker.cli.db",
        "Create and update the pipeline's tables, delete old rows from them, or rebuild them.",
    ),
    "events": (
        "artifact_pipeline.worker.cli.events",
        "Events that are not delivered yet: list, redeliver, discard.",
    ),
    "health": (
        "artifact_pipeline.worker.cli.health",
        "Health checks for supervisors and orchestrators.",
    ),
    "history": (
        "artifact_pipeline.worker.cli.history",
        "Show who did what with a job's artifacts: when, why, and what became of it.",
    ),
    "jobs": (
        "artifact_pipeline.worker.cli.jobs.commands",
        "Show jobs, and upload, list or cancel their artifacts.",
    ),
    "messages": (
        "artifact_pipeline.worker.cli.messages",
        "Messages that workers refused or dead workers held.",
    ),
    "metrics": (
        "artifact_pipeline.worker.cli.metrics",
        "Serve the backlog, the workers and the failures as metrics for Prometheus, until Ctrl-C.",
    ),
    "orphans": (
        "artifact_pipeline.worker.cli.orphans.commands",
        "Objects in the store whose job does not exist.",
    ),
    "quarantine": (
        "artifact_pipeline.worker.cli.quarantine",
        "Transfers that were given up: list, retry, discard.",
    ),
    "retention": (
        "artifact_pipeline.worker.cli.retention.commands",
        "Rules that archive and delete artifacts by their age: set, preview, apply.",
    ),
    "store": (
        "artifact_pipeline.worker.cli.store",
        "The directory that artifacts are stored in, instead of a bucket.",
    ),
    "transfers": (
        "artifact_pipeline.worker.cli.transfers",
        "List transfers across jobs, or show one of them.",
    ),
    "status": (
        "artifact_pipeline.worker.cli.status.commands",
        "Show the backlog, the workers, the failures, and everything that needs an operator.",
    ),
    "demo": (
        "artifact_pipeline.worker.cli.demo",
        "Play the story of a late upload on an embedded broker, database, S3 and worker.",
    ),
    "dev": (
        "artifact_pipeline.worker.cli.dev",
        "Run the whole pipeline here until Ctrl-C: servers, workers, beat, pages, Flower, metrics.",
    ),
    "doctor": (
        "artifact_pipeline.worker.cli.doctor",
        "Examine this deployment: what is wrong, and how to fix it.",
    ),
    "web": (
        "artifact_pipeline.worker.cli.web",
        "Serve the pipeline as pages and a JSON API, until Ctrl-C.",
    ),
    "workers": (
        "artifact_pipeline.worker.cli.workers",
        "Show the workers: their queues, workspaces and pools, and what no worker serves.",
    ),
    "workspace": (
        "artifact_pipeline.worker.cli.workspace",
        "The directory tree that producers and workers share.",
    ),
    "workspaces": (
        "artifact_pipeline.worker.cli.workspaces",
        "Workspaces with names: list them, or forget one that is gone for good.",
    ),
}
"""Module and help line of each: a group has an `app`, a command a function of its name.

The line is the group's `help`, or the summary of the function's docstring; a test compares them.
"""

_INTERRUPTED = 128 + signal.SIGINT
_CLOSED_PIPE = 128 + signal.SIGPIPE
_OBJECTS_BEFORE_COLLECTING = 300_000
"""Instead of Python's 700: more than a command imports, and some tens of MiB at most."""


def main() -> None:
    """Run the command and exit with its status; every failure is one line."""
    # Looking for garbage in what was imported takes a third of a command's time: at its end, and
    # every few hundred objects until then.
    atexit.register(gc.freeze)
    gc.set_threshold(_OBJECTS_BEFORE_COLLECTING)
    try:
        status = _run_safely()
    except KeyboardInterrupt:
        status = _INTERRUPTED
    if status == _INTERRUPTED:
        # A second Ctrl-C must not wait for threads that are still ending.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(status)


def _run_safely() -> int:
    from artifact_pipeline.domain.errors import PipelineError  # noqa: PLC0415 - see above
    from artifact_pipeline.worker.cli.streams import OutputError, prepare_streams, release_output  # noqa: PLC0415

    prepare_streams()
    try:
        from artifact_pipeline.worker.cli.root import run  # noqa: PLC0415

        status = run(COMMANDS)
        sys.stdout.flush()
    except OutputError as error:
        return _CLOSED_PIPE if error.is_closed_pipe else _fail(error)
    except PipelineError as error:
        from artifact_pipeline.worker.cli.output import why  # noqa: PLC0415 - see above

        return _fail(why(error))
    except OSError as error:
        return _fail(_system_error(error))
    except UnicodeEncodeError as error:
        return _fail(f"{error.object!r} is not text in this locale: use UTF-8")
    else:
        return status
    finally:
        release_output()


def _system_error(error: OSError) -> str:
    """Return what the operating system refused, and the file if it names one."""
    code = errno.errorcode.get(error.errno or 0, type(error).__name__)
    said = f"{error.strerror or error} ({code})"
    return f"{error.filename}: {said}" if error.filename is not None else f"system error: {said}"


def _fail(error: object) -> int:
    line = " ".join(str(error).split())  # libpq's messages have several
    sys.stderr.write(f"artifacts: {line}\n")
    return 1
