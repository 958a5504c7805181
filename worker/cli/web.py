"""`artifacts web`."""

from typing import Annotated

import typer

from artifact_pipeline.worker.cli.extras import require_extra


def web(
    *,
    host: Annotated[
        str, typer.Option(help="The address to listen on; another host's needs logins.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 is a free one.")] = 9550,
    root_path: Annotated[
        str, typer.Option(metavar="PATH", help="The path at which a reverse proxy serves it.")
    ] = "",
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Refuse everything that changes something.")
    ] = False,
    hash_password: Annotated[
        bool,
        typer.Option("--hash-password", help="Ask for a password, print its hash, and end."),
    ] = False,
) -> None:
    """Serve the pipeline as pages and a JSON API, until Ctrl-C.

    Without ARTIFACTS_WEB_LOGINS or ARTIFACTS_WEB_USER_HEADER it answers this host alone.
    """
    require_extra("artifacts web", "web", "starlette", "uvicorn", "jinja2", "python_multipart")
    from artifact_pipeline.worker.cli.web_run import print_hash, serve_web  # noqa: PLC0415 - for the help

    if hash_password:
        print_hash()
    else:
        serve_web(host, port, root_path=root_path, is_read_only=read_only)
