"""What Flower answers with a traceback, said in one line.

That is a value that it cannot read, a missing file of settings, and a port that is taken.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from artifact_pipeline.domain.errors import ConfigurationError

_SETTINGS = Path(__file__).with_name("flowerconfig.py")
_PREFIX = "FLOWER_"
_CONF = "--conf"
_PORT = "FLOWER_PORT"
_HIGHEST_PORT = 65_535


def check_flower_command(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """Check what Flower is started with; other commands pass.

    Args:
        arguments: of the command line of Celery.
        environment: of the process.

    Raises:
        ConfigurationError: a number in the environment is none, or the file of `--conf` is missing.
    """
    if "flower" not in arguments:
        return
    for path in _conf(arguments):
        if not Path(path).is_file():
            raise ConfigurationError(f"{_CONF}: {path!r} is no file; use {_CONF}={_SETTINGS}")
    for variable, default in _numbers(environment):
        text = environment[variable]
        try:
            number = type(default)(text)
        except ValueError:
            raise ConfigurationError(
                f"{variable}: {text!r} is not a number (example: {default})"
            ) from None
        # Flower would listen at another port, the rest of a division by 65,536.
        if variable == _PORT and not 0 <= number <= _HIGHEST_PORT:
            raise ConfigurationError(f"{variable}: {text} is no port; use 1 to {_HIGHEST_PORT}")


def listen_or_end(flower: Any) -> None:  # noqa: ANN401 - Flower's class, which has no types
    """Have Flower end with one line if it cannot listen, as at a port that is taken."""
    listen = flower.start_http_server

    def listen_or_exit(self: Any) -> Any:  # noqa: ANN401 - an object of that class
        try:
            return listen(self)
        except OSError as error:
            place = f"{self.options.address}:{self.options.port}"
            sys.exit(f"artifacts: FLOWER_ADDRESS, FLOWER_PORT: cannot listen on {place}: {error}")

    flower.start_http_server = listen_or_exit


def _conf(arguments: Sequence[str]) -> Iterator[str]:
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=True):
        name, is_joined, value = argument.partition("=")
        if name == _CONF:
            yield value if is_joined else following


def _numbers(environment: Mapping[str, str]) -> Iterator[tuple[str, float]]:
    """Yield the variables of Flower's options that are numbers, with the defaults."""
    import flower.options  # type: ignore[import-untyped]  # noqa: F401, PLC0415 - defines them
    from tornado.options import options  # noqa: PLC0415 - only with Flower

    for name, default in options.as_dict().items():
        variable = _PREFIX + name.replace("-", "_").upper()
        if variable in environment and type(default) in {int, float}:
            yield variable, default
