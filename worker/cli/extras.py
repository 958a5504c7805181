"""Commands that need more than what is always installed."""

from importlib.util import find_spec


def require_extra(command: str, extra: str, *packages: str) -> None:
    """Check that the packages of an extra can be imported.

    Raises:
        ConfigurationError: one is missing; names the command that installs it.
    """
    from artifact_pipeline.domain.errors import ConfigurationError  # noqa: PLC0415 - for the help

    if any(find_spec(package) is None for package in packages):
        raise ConfigurationError(
            f"{command} needs the extra '{extra}': pip install 'artifact-pipeline[{extra}]'"
        )
