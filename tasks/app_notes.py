"""Notes about an app that hold until a setting of it changes.

Looking up one setting takes Celery as long as comparing all of them takes here.
"""

import os
from types import ModuleType
from typing import Any

_ATTRIBUTE = "artifacts_notes"
"""An attribute of an app: its settings as they were, and the notes that were made of them."""
_VARIABLES = ("CELERY_BROKER_URL", "CELERY_BROKER_WRITE_URL")
"""Variables that Celery reads before the settings of its broker."""


def notes_of(app: Any) -> dict[Any, Any]:  # noqa: ANN401 - the stubs lack what is read here
    """Return the app's notes, which are empty again after a change of any setting.

    A change within a setting counts as well, such as another route in `task_routes`. A forked
    process begins with empty notes.
    """
    settings = _settings_of(app)
    seen, notes = vars(app).get(_ATTRIBUTE, (None, {}))
    if seen != settings:
        notes = {}
        setattr(app, _ATTRIBUTE, (_copied(settings), notes))
    return notes  # type: ignore[no-any-return]


def _settings_of(app: Any) -> list[Any]:  # noqa: ANN401 - see above
    """Return all that Celery looks the app's settings up in."""
    maps = app.conf.maps
    if not isinstance(maps[0], dict):
        # Celery reads the settings when one is first looked up.
        maps = app.conf.finalize().maps
    variables = [os.environ.get(name) for name in _VARIABLES]
    return [os.getpid(), variables, *map(_entries, maps)]


def _entries(settings: Any) -> Any:  # noqa: ANN401 - what Celery looks settings up in
    if isinstance(settings, dict):
        return settings
    given = settings.obj  # that `config_from_object` was given
    if isinstance(given, ModuleType):
        return vars(given)
    return {name: getattr(given, name, None) for name in dir(given)}


def _copied(value: Any) -> Any:  # noqa: ANN401 - any setting
    """Return the value with copies of its dictionaries and lists, which the platform may change."""
    if isinstance(value, list):
        return [_copied(each) for each in value]
    if isinstance(value, dict):
        # Names with underscores are those that Python gives a module of settings.
        return {k: v if str(k).startswith("__") else _copied(v) for k, v in value.items()}
    return value
