"""What is wrong with a broker's certificate, or with ours, and the setting to correct."""

import ssl
from collections.abc import Iterator

from artifact_pipeline.tasks.broker import CA_VARIABLE, URL_VARIABLE

_EXPIRED = {9, 10}
"""Not valid yet, or not any more: numbers of X509_V_ERR_CERT_… in OpenSSL's x509_vfy.h."""
_OTHER_HOST = {62, 64}
_REASONS = {
    "NO_CERTIFICATE_OR_CRL_FOUND": f"{CA_VARIABLE}: the file has no certificate",
    "KEY_VALUES_MISMATCH": f"{URL_VARIABLE}: ssl_keyfile is not the key of ssl_certfile",
    "PEM_LIB": f"{URL_VARIABLE}: ssl_certfile or ssl_keyfile is not a PEM file",
}


def tls_refusal(error: BaseException) -> str | None:
    """Return what keeps TLS from working until a setting is changed, or None."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _unverified(cause)
        if isinstance(cause, ssl.SSLError):
            return _REASONS.get(cause.reason or "")
    return None


def _unverified(error: ssl.SSLCertVerificationError) -> str | None:
    if error.verify_code in _EXPIRED:
        return None  # the broker's, which is renewed without any change here
    said = error.verify_message.rstrip(".")
    if error.verify_code in _OTHER_HOST:
        return f"{URL_VARIABLE}: {said}. Use a host that the broker's certificate names"
    return (
        f"{CA_VARIABLE}: the broker's certificate is not trusted: {said}. Set it to the file with"
        " the certificate of the authority that signed the broker's"
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
