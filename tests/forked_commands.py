"""`artifacts` for a shell, each time forked from a process that has imported it.

To import it takes most of a command's time. What a shell calls is a small program, which hands over
its arguments, environment, directory and streams, and ends with the command's status.
"""

import atexit
import json
import multiprocessing
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, TextIO

from tests import preloaded

_PROGRAM = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    socket.send_fds(server, [b"-"], [0, 1, 2])
    server.sendall(json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]).encode())
    server.shutdown(socket.SHUT_WR)
    sys.exit(int(server.recv(16)))
"""


@contextmanager
def forked_artifacts(directory: Path) -> Iterator[Path]:
    """Yield a program that runs `artifacts`, with streams in UTF-8.

    Args:
        directory: for the program. Its path is short.
    """
    program = directory / "artifacts"
    address = str(directory / "commands")
    program.write_text(_PROGRAM.format(python=sys.executable, address=address))
    program.chmod(0o755)
    theirs, ours = multiprocessing.Pipe()
    with socket.socket(socket.AF_UNIX) as listener, ours:
        listener.bind(address)
        listener.listen()
        server = ForkServerProcess(target=_serve, args=(theirs, listener))
        preloaded.start_process(server, os.environ)
        theirs.close()
        yield program
    server.join()


def _serve(starter: Connection, listener: socket.socket) -> None:
    """Fork a process for each command, until whoever started this has ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them here
    while starter not in connection.wait([starter, listener.fileno()]):
        command, _ = listener.accept()
        with command:
            if not os.fork():
                starter.close()
                listener.close()
                _answer(command)


def _answer(command: socket.socket) -> None:
    """Run the command, send its status, and end."""
    status = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _settle(command)
        status = _run()
        atexit._run_exitfuncs()
    finally:
        command.sendall(str(status).encode())
        os._exit(status)


def _settle(command: socket.socket) -> None:
    """Take over what the program was given."""
    _, streams, *_ = socket.recv_fds(command, 1, 3)
    with command.makefile("rb") as told:
        arguments, environment, directory = json.loads(told.read())
    sys.argv = ["artifacts", *arguments]
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(directory)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    # As Python makes them at its start.
    made: Any = sys
    made.stdin = made.__stdin__ = _input()
    made.stdout = made.__stdout__ = _output(1, "strict")
    made.stderr = made.__stderr__ = _output(2, "backslashreplace")


def _input() -> TextIO:
    return open(0, encoding="utf-8", closefd=False)


def _output(number: int, errors: str) -> TextIO:
    return open(number, "w", encoding="utf-8", errors=errors, closefd=False)


def _run() -> int:
    from artifact_pipeline.worker.cli.main import main  # noqa: PLC0415 - in the forked process

    try:
        main()
    except SystemExit as ended:
        sys.stdout.flush()
        return ended.code if isinstance(ended.code, int) else 1
    return 0
