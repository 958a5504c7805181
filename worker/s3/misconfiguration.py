"""Which of botocore's errors mean wrong settings, and which setting each of them is about."""

import os
from collections.abc import Callable, Mapping

from botocore import exceptions as botocore
from botocore.exceptions import BotoCoreError

from artifact_pipeline.domain.redaction import redact

_SIGN_IN = "Run `aws sso login` or `aws login`, or use credentials that need no sign-in"
_CHECK = "Check the AWS_… variables and the files that they name"
_CONFIG_FILES = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")

CONFIGURATION: tuple[type[BotoCoreError], ...] = (
    # The profile and its files.
    botocore.ProfileNotFound,
    botocore.ConfigParseError,
    botocore.ConfigNotFound,
    botocore.InvalidConfigError,
    # The region and the endpoint.
    botocore.BaseEndpointResolverError,
    botocore.EndpointProviderError,
    botocore.InvalidRegionError,
    botocore.UnknownRegionError,
    botocore.ServiceNotInRegionError,
    botocore.InvalidEndpointConfigurationError,
    botocore.InvalidEndpointDiscoveryConfigurationError,
    botocore.InvalidS3UsEast1RegionalEndpointConfigError,
    botocore.InvalidSTSRegionalEndpointsConfigError,
    botocore.InvalidIMDSEndpointError,
    botocore.InvalidIMDSEndpointModeError,
    botocore.InvalidS3AddressingStyleError,
    botocore.UnsupportedS3ConfigurationError,
    botocore.UnsupportedS3AccesspointConfigurationError,
    botocore.UnsupportedS3ControlConfigurationError,
    # Credentials that are incomplete, or that only a person can renew.
    botocore.PartialCredentialsError,
    botocore.UnknownCredentialError,
    botocore.NoAuthTokenError,
    botocore.TokenRetrievalError,
    botocore.UnknownTokenProviderError,
    botocore.RefreshWithMFAUnsupportedError,
    botocore.SSOError,
    botocore.LoginError,
    # How requests are made.
    botocore.InvalidRetryConfigurationError,
    botocore.InvalidDefaultsMode,
    botocore.InvalidProxiesConfigError,
    botocore.InvalidChecksumConfigError,
    botocore.UnknownSignatureVersionError,
    botocore.UnsupportedSignatureVersionError,
    # The installation.
    botocore.MissingDependencyException,
    botocore.DataNotFoundError,
    botocore.ApiVersionNotFoundError,
)


def explain(error: Exception) -> str:
    """Return one line: the setting with its value, what is wrong with it, and the remedy."""
    for kind, explanation in _EXPLANATIONS.items():
        if isinstance(error, kind):
            return explanation(_details(error))
    return f"AWS settings: {type(error).__name__}: {redact(str(error)).rstrip('.')}. {_CHECK}"


def _details(error: Exception) -> Mapping[str, str]:
    return getattr(error, "kwargs", {})


def _profile(details: Mapping[str, str]) -> str:
    name = _set_to(details["profile"], "AWS_PROFILE", "AWS_DEFAULT_PROFILE")
    return f"{name}: no such profile. `aws configure list-profiles` shows those that exist"


def _file(details: Mapping[str, str]) -> str:
    path = details["path"]
    return f"{_set_to(path, *_CONFIG_FILES)}: no valid AWS config file. Correct or remove it"


def _region(details: Mapping[str, str]) -> str:
    name = details["region_name"]
    return f"{_set_to(name, 'AWS_DEFAULT_REGION')}: not a region. Example: eu-central-1"


def _no_region(_details: Mapping[str, str]) -> str:
    return "AWS_DEFAULT_REGION: not set. Example: eu-central-1"


def _partial(details: Mapping[str, str]) -> str:
    missing = details["cred_var"]
    return f"{missing}: missing, though the other key is set ({details['provider']}). Set both keys"


def _signed_out(_details: Mapping[str, str]) -> str:
    name = os.environ.get("AWS_PROFILE", "default")
    return f"AWS_PROFILE={name}: it is signed out. {_SIGN_IN}"


def _set_to(value: str, *variables: str) -> str:
    """Return the variable that has this value, or else the first one's name for it.

    The value may also stand in a config file.
    """
    named = [name for name in variables if os.environ.get(name) == value]
    return f"{(named or variables)[0]}={' '.join(str(value).split())}"


_EXPLANATIONS: dict[type[BotoCoreError], Callable[[Mapping[str, str]], str]] = {
    botocore.ProfileNotFound: _profile,
    botocore.ConfigParseError: _file,
    botocore.ConfigNotFound: _file,
    botocore.InvalidRegionError: _region,
    botocore.NoRegionError: _no_region,
    botocore.PartialCredentialsError: _partial,
    botocore.SSOError: _signed_out,
    botocore.LoginError: _signed_out,
    botocore.TokenRetrievalError: _signed_out,
}
