"""Let a use case take the platform's arguments beside its own."""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, overload

_OurArguments = ParamSpec("_OurArguments")
_TheirArguments = ParamSpec("_TheirArguments")
_Ours_co = TypeVar("_Ours_co", covariant=True)
_Theirs_co = TypeVar("_Theirs_co", covariant=True)


class DualSignature(Protocol, Generic[_OurArguments, _Ours_co, _TheirArguments, _Theirs_co]):
    """A use case that is called in either shape."""

    @overload
    def __call__(self, *args: _OurArguments.args, **kwargs: _OurArguments.kwargs) -> _Ours_co: ...

    @overload
    def __call__(
        self, *args: _TheirArguments.args, **kwargs: _TheirArguments.kwargs
    ) -> _Theirs_co: ...


def accepts_platform_call(
    theirs: Callable[_TheirArguments, _Theirs_co],
    is_theirs: Callable[..., bool] = lambda *_args, **_kwargs: False,
) -> Callable[
    [Callable[_OurArguments, _Ours_co]],
    DualSignature[_OurArguments, _Ours_co, _TheirArguments, _Theirs_co],
]:
    """Return a decorator: arguments that fit only the platform's function go to that one.

    Args:
        theirs: the platform's function of this name.
        is_theirs: decides where arguments fit both.
    """

    def decorate(ours: Callable[_OurArguments, _Ours_co]) -> Any:  # noqa: ANN401 - `DualSignature`
        @functools.wraps(ours)
        def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - of either shape
            prefers_theirs = fits(theirs, args, kwargs) and is_theirs(*args, **kwargs)
            return theirs(*args, **kwargs) if prefers_theirs else either(ours, theirs, args, kwargs)

        return call

    return decorate


def either(
    ours: Callable[..., Any],
    theirs: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> Any:  # noqa: ANN401 - of either shape
    """Call the one that takes the arguments; ours, if both do or none does."""
    is_theirs = fits(theirs, args, kwargs) and not fits(ours, args, kwargs)
    return (theirs if is_theirs else ours)(*args, **kwargs)


def fits(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    """Return whether a function takes the arguments."""
    try:
        inspect.signature(function).bind(*args, **kwargs)
    except TypeError:
        return False
    return True
