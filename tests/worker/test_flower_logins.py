"""The logins of Flower, and its file of settings."""

import runpy

import pytest
from tornado import options

from artifact_pipeline.domain.errors import ConfigurationError
from artifact_pipeline.worker.dev.stack import FLOWER_CONFIG
from artifact_pipeline.worker.flower_logins import flower_logins


@pytest.mark.parametrize(
    ("text", "logins"),
    [
        ("me:secret", ["me:secret"]),
        ("me:secret,you:other", ["me:secret", "you:other"]),
        ("me:a:b", ["me:a:b"]),
    ],
)
def test_logins_are_separated_by_commas(text: str, logins: list[str]) -> None:
    assert flower_logins({"FLOWER_BASIC_AUTH": text}) == logins


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "FLOWER_BASIC_AUTH: set it to user:password"),
        ("", "FLOWER_BASIC_AUTH: set it to user:password"),
        ("me", "part 1 of 1 is not user:password"),
        ("me:", "part 1 of 1 is not user:password"),
        (":hunter2", "part 1 of 1 is not user:password"),
        ("me:hunt,er2", "part 2 of 2 is not user:password. Commas separate logins"),
        ("me:hunter2,", "part 2 of 2 is not user:password"),
        ("me:hünter2", "use ASCII characters only"),
    ],
)
def test_what_flower_cannot_use_is_one_line_without_the_password(
    text: str | None, said: str
) -> None:
    environment = {} if text is None else {"FLOWER_BASIC_AUTH": text}
    with pytest.raises(ConfigurationError) as refused:
        flower_logins(environment)
    assert said in str(refused.value)
    assert "er2" not in str(refused.value)


@pytest.fixture
def _no_login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLOWER_BASIC_AUTH", raising=False)


@pytest.mark.usefixtures("_no_login")
def test_a_tool_may_import_the_settings_without_any_environment() -> None:
    settings = runpy.run_path(str(FLOWER_CONFIG), run_name="flowerconfig")
    assert (settings["max_tasks"], settings["basic_auth"]) == (50_000, [])


@pytest.mark.usefixtures("_no_login")
def test_flower_ends_where_the_login_is_missing() -> None:
    with pytest.raises(SystemExit) as ended:
        # As Flower reads it
        options.OptionParser().parse_config_file(str(FLOWER_CONFIG))
    assert str(ended.value).startswith("artifacts: FLOWER_BASIC_AUTH: set it to user:password")
