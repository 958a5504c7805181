"""The standard streams of a command: closed ones, full devices, narrow encodings."""

import codecs
import errno
import io
import os
import sys
from typing import TYPE_CHECKING, Any, TextIO

from artifact_pipeline.domain.errors import PipelineError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_HANDLER = "artifacts_degrade"
_ASCII = str.maketrans(
    {
        **dict.fromkeys("×", "x"),  # noqa: RUF001 - a sign, not a letter
        **dict.fromkeys("•·", "*"),
        **dict.fromkeys("–", "-"),  # noqa: RUF001
        "…": "...",
        "—": "--",
        "→": "->",
        **dict.fromkeys("─━╌╴╶╸╺", "-"),
        **dict.fromkeys("│┃", "|"),
        **dict.fromkeys("└├┌┐┘┤┬┴┼╭╮╯╰", "+"),
        **dict.fromkeys("“”„", '"'),
        **dict.fromkeys("‘’", "'"),  # noqa: RUF001
    }
)


class OutputError(PipelineError):
    """Standard output cannot be written."""

    def __init__(self, error: OSError) -> None:
        super().__init__(f"the output could not be written: {error.strerror or error}")
        self.is_closed_pipe = error.errno == errno.EPIPE


class _Output(io.BufferedWriter):
    """The bytes of standard output, whose failures have a type of their own.

    A guard of the text alone would not do: Typer writes to the bytes if the encoding is ASCII.
    """

    def write(self, data: "ReadableBuffer", /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise OutputError(error) from None

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            raise OutputError(error) from None


class _WholeWrites(io.BufferedWriter):
    """Write all bytes at once; a raw stream may write only some of them, without an error."""

    def write(self, data: "ReadableBuffer", /) -> int:
        written = super().write(data)
        self.flush()
        return written


class _WholeOutput(_WholeWrites, _Output):
    """Standard output without a buffer."""


class _Errors(io.TextIOWrapper):
    """Standard error: if it fails, nothing can be reported, so the command continues."""

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError:
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError:
            _discard(sys.stderr)


def prepare_streams() -> None:
    """Make the three streams of this process safe to use.

    A stream that a test or a caller has replaced is left alone.
    """
    codecs.register_error(_HANDLER, _degrade)
    if sys.stdin is None:
        sys.stdin = open(_reopen(0, os.O_WRONLY), encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stdout is sys.__stdout__:
        sys.stdout = _output(sys.stdout or _reopen(1, os.O_RDONLY))
    if sys.stderr is sys.__stderr__:
        sys.stderr = _errors(sys.stderr or _reopen(2, os.O_WRONLY))


def release_output() -> None:
    """Discard what could not be written: the interpreter would try again, and print a traceback."""
    try:
        sys.stdout.flush()
    except (OutputError, ValueError):
        _discard(sys.stdout)


def _reopen(number: int, flags: int) -> int:
    # Otherwise the next file that is opened gets the number of the closed stream, and what the
    # command prints is written into it. Opened the wrong way round, each use of it fails.
    opened = os.open(os.devnull, flags)
    if opened != number:
        os.dup2(opened, number)
        os.close(opened)
    return number


def _output(stream: TextIO | int) -> TextIO:
    if isinstance(stream, int):
        raw = open(stream, "wb", buffering=0, closefd=False)  # noqa: SIM115 - until the end
        return io.TextIOWrapper(_Output(raw), encoding="utf-8", errors=_HANDLER)
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    binary: Any = stream.buffer
    if isinstance(binary, io.RawIOBase):
        return _like(stream, io.TextIOWrapper, _WholeOutput(binary))
    is_buffer = isinstance(binary, io.BufferedWriter)
    return _like(stream, io.TextIOWrapper, _Output(binary.raw) if is_buffer else binary)


def _errors(stream: TextIO | int) -> TextIO:
    if isinstance(stream, int):
        return _Errors(open(stream, "wb", closefd=False), encoding="utf-8", errors=_HANDLER)
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    binary: Any = stream.buffer
    # With PYTHONUNBUFFERED the stream is a raw one.
    is_raw = isinstance(binary, io.RawIOBase)
    return _like(stream, _Errors, _WholeWrites(binary) if is_raw else binary)


def _like(stream: io.TextIOWrapper, kind: type[io.TextIOWrapper], binary: Any) -> TextIO:  # noqa: ANN401 - of any layer
    return kind(
        binary,
        encoding=stream.encoding,
        errors=_HANDLER,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def _discard(stream: TextIO) -> None:
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, stream.fileno())
    os.close(nothing)


def _degrade(error: UnicodeError) -> tuple[str | bytes, int]:
    """Replace what the stream's encoding lacks, instead of failing."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    if all("\udc80" <= character <= "\udcff" for character in text):
        # A file name that is not text: its own bytes.
        return text.encode(error.encoding, "surrogateescape"), error.end
    known = text.translate(_ASCII)
    return known.encode("ascii", "backslashreplace").decode("ascii"), error.end
