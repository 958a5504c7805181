"""Errors of the web application itself."""

from artifact_pipeline.domain.errors import InvalidRequestError, PipelineError


class WebError(PipelineError):
    """The request cannot be answered. Attributes: `status` of HTTP."""

    status = 400


class UnauthenticatedError(WebError):
    """Log in: user or password is missing or wrong."""

    status = 401


class ForbiddenError(WebError):
    """The user may only read."""

    status = 403


class CrossSiteError(WebError):
    """The request comes from another site, or its token is missing, wrong or too old.

    Reload the page.
    """

    status = 403


class WrongHostError(WebError):
    """The request names a host that this server is not known by."""

    status = 400


class ChangedError(WebError, InvalidRequestError):
    """What the action is about has changed since it was shown. Look again."""

    status = 409


class UnknownPathError(WebError):
    """There is no such page."""

    status = 404


class WrongMethodError(WebError):
    """The path does not take this method."""

    status = 405


class InvalidInputError(WebError):
    """The request has a wrong value."""

    status = 422


class BusyError(WebError):
    """Too many requests of this kind are under way. Try again in a moment."""

    status = 503
