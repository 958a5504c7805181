"""What botocore works out for each client, and what is the same for all of them.

The tests and the processes that they start make thousands of clients, each of which took 22 ms.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import botocore.session
from botocore import endpoint_provider, hooks
from botocore.hooks import EVENT_ALIASES, EventAliaser

_accepts_kwargs: Any = hooks.accepts_kwargs
_new_names: dict[str, str] = {}


def share() -> None:
    """Let clients share botocore's descriptions of AWS and the names of its events."""
    botocore.session.create_loader = functools.cache(botocore.session.create_loader)
    setattr(hooks, "accepts_kwargs", _has_kwargs)  # noqa: B010 - the stubs have another type
    _share_names(EventAliaser.__init__)
    setattr(endpoint_provider, "RuleSet", _shared_rules(endpoint_provider.RuleSet))  # noqa: B010


def _shared_rules(make: Callable[..., Any]) -> Callable[..., Any]:
    """Let clients share the rules of endpoints, which only read what they are asked about."""
    made: dict[int, Any] = {}

    def rules(**given: Any) -> Any:
        described: Any = given["rules"]
        if id(described) not in made:
            # The description is kept too: nothing else can get its address.
            made[id(described)] = described, make(**given)
        return made[id(described)][1]

    return rules


def _share_names(init: Callable[..., None]) -> None:
    def init_and_share(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        if self._event_aliases == EVENT_ALIASES:
            self._alias_name_cache = _new_names

    setattr(EventAliaser, "__init__", init_and_share)  # noqa: B010 - mypy lets no method be assigned


def _has_kwargs(function: Callable[..., Any]) -> bool:
    """Look at the flag of the code: making a signature takes a hundred times as long."""
    code = getattr(function, "__code__", None)
    if code is None:
        return bool(_accepts_kwargs(function))
    return bool(code.co_flags & inspect.CO_VARKEYWORDS)
