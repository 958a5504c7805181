"""docker-compose.store.yml, which puts a store in the place of the S3 to try it with.

The store itself is not run: no registry of packages that the tests use has it.
"""

import re
from pathlib import Path

import pytest

from tests.compose.compose_file import (
    GIVEN,
    STORE_TEXT,
    MissingVariableError,
    read,
    read_with_store,
    strings,
)
from tests.compose.test_schema import check
from tests.image import ROOT

WITH_STORE = {**GIVEN, "STORE_DIRECTORY": "/srv/store"}


@pytest.mark.processes
def test_the_file_is_valid(tmp_path: Path) -> None:
    checked = check(STORE_TEXT, tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_only_the_store_is_another() -> None:
    # Given
    alone, both = read(GIVEN)["services"], read_with_store(WITH_STORE)["services"]
    # Then
    assert {name for name in both if both[name] != alone.get(name)} == {"s3"}


def test_the_store_keeps_the_rules_of_all_services() -> None:
    store = read_with_store(WITH_STORE)["services"]["s3"]
    assert store["read_only"] is True
    assert store["cap_drop"] == ["ALL"]
    assert store["user"].split(":")[0] not in {"", "0", "root"}
    assert re.fullmatch(r"versity/versitygw:v\d+\.\d+\.\d+", store["image"])
    assert set(store["healthcheck"]) == set(read(GIVEN)["services"]["s3"]["healthcheck"])


def test_it_listens_where_the_workers_look() -> None:
    both = read_with_store(WITH_STORE)["services"]
    port = both["s3"]["command"][both["s3"]["command"].index("--port") + 1]
    assert both["results"]["environment"]["ARTIFACTS_S3_ENDPOINT_URL"] == f"http://s3{port}"
    assert any(port in text for text in both["s3"]["healthcheck"]["test"])
    # And it takes the workers' keys
    assert both["s3"]["environment"]["ROOT_ACCESS_KEY_ID"] == GIVEN["S3_ACCESS_KEY_ID"]
    assert GIVEN["S3_SECRET_ACCESS_KEY"] not in strings(both["s3"]["command"])


def test_its_directory_must_be_given_and_is_never_made() -> None:
    with pytest.raises(MissingVariableError, match="STORE_DIRECTORY is missing a value"):
        read_with_store(GIVEN)
    mount = read_with_store(WITH_STORE)["services"]["s3"]["volumes"][-1]
    assert (mount["source"], mount["bind"]) == ("/srv/store", {"create_host_path": False})


def test_the_example_and_the_document_name_it() -> None:
    assert "STORE_DIRECTORY" in (ROOT / ".env.example").read_text()
    document = (ROOT / "docs/operations/docker-compose.md").read_text()
    assert "STORE_DIRECTORY" in document
    assert "docker-compose.store.yml" in document
