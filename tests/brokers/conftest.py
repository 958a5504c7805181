"""The commands, as the tests of commands call them."""

from tests.cli.conftest import (  # noqa: F401 - fixtures
    _no_settings,
    _own_celery_app,
    _own_signals,
    artifacts,
)
