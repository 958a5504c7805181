"""What is where: here, instead of in containers."""

import re
import sys
from pathlib import Path
from typing import Any

from artifact_pipeline.worker.embedded.servers import kept_port, valkey_binary
from tests.compose.compose_file import mounted
from tests.faults.postgres import binaries
from tests.image import DOCKERFILE, ROOT, stages

_LISTENS = {
    "broker": "6379",
    "database": "5432",
    "s3": "4566",
    "flower": "5555",
    "metrics": "9540",
    "web": "9550",
}
_SYSTEM = "/usr/bin:/bin"


class Places:
    """Free ports of the loopback address for those of the services, directories for their mounts.

    Args:
        directory: for all that the services write.
        image: the environment that the Dockerfile makes.
    """

    def __init__(self, directory: Path, image: Path) -> None:
        self.directory = directory
        self.workspace = directory / "workspace"
        self.workspace.mkdir()
        self.ports = {name: kept_port(self) for name in _LISTENS}
        self._binaries = {
            "broker": valkey_binary().parent,
            "database": binaries(),
            "s3": Path(sys.executable).parent,
        }
        self._image = image

    def command(self, name: str, service: dict[str, Any], parts: list[str]) -> list[str]:
        """That of a service, with what is said here in place of what is said in its container."""
        here = self._here(name, service)
        pattern = "|".join(map(re.escape, sorted(here, key=len, reverse=True)))
        return [re.sub(pattern, lambda found: here[found[0]], part) for part in parts]

    def environment(self, name: str, service: dict[str, Any]) -> dict[str, str]:
        """What the file and the image give the service, a PATH, and a home that is not there."""
        given: dict[str, str] = service.get("environment", {})
        values = self.command(name, service, list(given.values()))
        image = {} if name in self._binaries else _image_environment()
        binaries = self._binaries.get(name, self._image / "bin")
        always = {
            "PATH": f"{binaries}:{_SYSTEM}",
            "HOME": "/nonexistent",
            # Credentials that the file forgets are not looked for in the network.
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        return {**image, **always, **dict(zip(given, values, strict=True))}

    def _here(self, name: str, service: dict[str, Any]) -> dict[str, str]:
        here = {"0.0.0.0": "127.0.0.1", "/etc/artifacts/": f"{ROOT}/worker/"}  # noqa: S104
        for other, port in _LISTENS.items():
            here[f"{other}:{port}"] = f"127.0.0.1:{self.ports[other]}"
        if name in _LISTENS:
            here[_LISTENS[name]] = str(self.ports[name])
        for mount in mounted(service):
            here[mount] = str(self._directory_of(name, mount))
        return here

    def _directory_of(self, name: str, mount: str) -> Path:
        if mount == "/workspace":
            return self.workspace
        directory = self.directory / name / mount.strip("/").replace("/", "-")
        directory.mkdir(parents=True, exist_ok=True)
        return directory


def _image_environment() -> dict[str, str]:
    (argument,) = [each.argument for each in stages(DOCKERFILE)[-1] if each.name == "ENV"]
    found = dict(pair.split("=", 1) for pair in argument.split())
    del found["PATH"]
    return found
