"""Flower's settings, each with its reason; its `--conf` takes this file's path.

What differs from one place to another comes from the environment: FLOWER_BASIC_AUTH (user:password,
several separated by commas), FLOWER_ADDRESS and FLOWER_PORT.
"""

import os
import re
import sys
from typing import TYPE_CHECKING

from artifact_pipeline.domain.errors import ConfigurationError
from artifact_pipeline.worker.flower_command import listen_or_end
from artifact_pipeline.worker.flower_logins import flower_logins

if TYPE_CHECKING:
    from celery.events.state import Task

# Flower executes this file, as no module. A tool that imports it only wants to read.
_is_executed = "__name__" not in globals()

try:
    basic_auth = flower_logins(os.environ)
except ConfigurationError as error:
    basic_auth = []
    if _is_executed:
        # Without a password, Flower would show everything to everybody.
        sys.exit(f"artifacts: {error}")

# /metrics and /healthcheck ask for no password: by default, serve only this machine.
address = os.environ.get("FLOWER_ADDRESS", "127.0.0.1")
port = int(os.environ.get("FLOWER_PORT", "5555"))

# Flower is only for looking. Every change has a command, which SQL records.
read_only = True

# A container that was replaced is a worker under another name: the old one goes in ten minutes
# (seconds), instead of being listed as lost without end.
purge_offline_workers = 600

# About 2 KB each: 100 MB, and more than a day's ordinary transfers. SQL has all of them.
max_tasks = 50_000
# So nothing needs to be kept over a restart either.
persistent = False

# Do not use its column `exception`, which puts a text into the page as HTML: ours may quote the
# name of a user's file.
tasks_columns = "name,uuid,state,kwargs,result,received,runtime,worker"


def format_task(task: "Task") -> "Task":
    """Return what pages show of a task: ids without brackets, which fit, and why it failed.

    Searches and the API go on with what the task really has: `kwargs:job_id=12`.
    """
    task.kwargs = re.sub(r"[{}']", "", task.kwargs or "").replace(": ", "=")
    if task.exception:
        task.result = re.sub(r"^\w+\(['\"](.*)['\"],?\)$", r"\1", task.exception)
    return task


# Workers answer within it (milliseconds), or are shown without their details this time.
inspect_timeout = 2_000.0

if _is_executed:
    from flower.app import Flower  # type: ignore[import-untyped]

    from artifact_pipeline.worker.control import (
        check_flower_on_start,
        follow_failover,
        log_as_configured,
    )

    log_as_configured()
    check_flower_on_start()
    follow_failover(Flower)
    listen_or_end(Flower)
