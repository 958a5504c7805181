"""Which sessions of SQLAlchemy are taken, and what is said about others."""

from sqlalchemy import Engine
from sqlalchemy.orm import Session, scoped_session

from artifact_pipeline.domain.errors import SessionTypeError

_ASYNCIO = "sqlalchemy.ext.asyncio"


def synchronous_session(session: object) -> Session:
    """Return the session itself, or the one that a `scoped_session` stands for.

    Raises:
        SessionTypeError: it is no session, or an asynchronous one.
    """
    if isinstance(session, Session):
        return session
    if isinstance(session, scoped_session):
        # Flask-SQLAlchemy's `db.session` is such a registry: take its current session.
        return synchronous_session(session())
    name = type(session).__name__
    if _is_asynchronous(session):
        # A scoped one stands for a session, and does not have all of its methods.
        own = "session" if hasattr(session, "run_sync") else "session()"
        raise SessionTypeError(
            f"session: {name} is asynchronous. Have it pass its own synchronous session:"
            f" await {own}.run_sync(lambda s: request_upload(s, …))"
        )
    raise SessionTypeError(
        f"session: {name} is not a Session of SQLAlchemy. Pass one, such as Session(engine)"
    )


def bound(bind: object) -> Engine | Session:
    """Return what a repository works on: the engine itself, else `synchronous_session`.

    Raises:
        SessionTypeError: it is neither.
    """
    return bind if isinstance(bind, Engine) else synchronous_session(bind)


def _is_asynchronous(session: object) -> bool:
    # Compare the module's name: the module cannot be imported if greenlet is not installed.
    return any(each.__module__.startswith(_ASYNCIO) for each in type(session).__mro__)
