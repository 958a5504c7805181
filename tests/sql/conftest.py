import pytest


@pytest.fixture(autouse=True)
def _no_celery_app(monkeypatch: pytest.MonkeyPatch) -> None:
    """Celery's default app is the whole process's: each test begins without one."""
    monkeypatch.setattr("celery._state.default_app", None)
    monkeypatch.setattr("celery._state._tls.current_app", None)
