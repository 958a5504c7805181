"""The users and passwords that Flower asks for."""

from collections.abc import Mapping

from artifact_pipeline.domain.errors import ConfigurationError

_VARIABLE = "FLOWER_BASIC_AUTH"


def flower_logins(environment: Mapping[str, str]) -> list[str]:
    """Return the `user:password` pairs of FLOWER_BASIC_AUTH.

    Raises:
        ConfigurationError: no login is set, or Flower cannot use one; it quotes no password.
    """
    text = environment.get(_VARIABLE, "")
    if not text:
        raise ConfigurationError(
            f"{_VARIABLE}: set it to user:password, several separated by commas"
        )
    pairs = text.split(",")
    for number, pair in enumerate(pairs, start=1):
        user, _, password = pair.partition(":")
        if not (user and password):
            raise ConfigurationError(
                f"{_VARIABLE}: part {number} of {len(pairs)} is not user:password. Commas separate"
                " logins, so a password must not hold one"
            )
    # Flower compares logins as text and answers 500 to those with other characters.
    if not text.isascii():
        raise ConfigurationError(f"{_VARIABLE}: use ASCII characters only; Flower takes no others")
    return pairs
