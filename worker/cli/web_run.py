"""`artifacts web`: the application served until a signal, or a password hashed."""

import getpass
import sys

from artifact_pipeline.worker.cli.notes import logged_as_notes
from artifact_pipeline.worker.cli.output import note, say
from artifact_pipeline.worker.settings import WebSettings, load
from artifact_pipeline.worker.web.access.configured import (
    access_of,
    check_address,
    check_root_path,
    hosts_of,
)
from artifact_pipeline.worker.web.access.passwords import PasswordHash
from artifact_pipeline.worker.web.app import create_app
from artifact_pipeline.worker.web.pages.routes import page_routes
from artifact_pipeline.worker.web.server import bound, serve
from artifact_pipeline.worker.web.service import WebService
from artifact_pipeline.worker.web.sources import Sources

_LOGGERS = ("artifact_pipeline.worker.web", "uvicorn.error")


def serve_web(host: str, port: int, *, root_path: str, is_read_only: bool) -> None:
    """Serve it until SIGINT, SIGTERM or SIGHUP.

    Raises:
        ConfigurationError: a setting is missing or wrong, or it cannot listen there.
        MisconfiguredError: a setting of AWS is wrong.
    """
    settings = load(WebSettings)
    access = access_of(settings)
    check_address(host, access)
    check_root_path(root_path)
    hosts = hosts_of(settings, host)
    sources = Sources.of(settings)
    sources.check_store()
    service = WebService(sources)
    app = create_app(
        service, access=access, hosts=hosts, is_read_only=is_read_only, pages=page_routes()
    )
    with bound(host, port) as listening, logged_as_notes(*_LOGGERS, form=settings.log_format):
        note(f"web: http://{listening.address}{root_path}/")
        serve(app, listening, root_path=root_path, stopping=service.stop)


def print_hash() -> None:
    """Print the hash of a password, which is asked for on a terminal, or read from a pipe."""
    password = getpass.getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    say(str(PasswordHash.of(password)))
