"""Wheels for the tests of an installation: the locked ones, and newer ones that are made up."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.metadata import distributions
from pathlib import Path
from tempfile import mkdtemp
from urllib.parse import unquote, urlsplit

import requests
from packaging.requirements import Requirement
from packaging.tags import sys_tags
from packaging.utils import NormalizedName, canonicalize_name, parse_wheel_filename

from tests.packaging.conftest import ROOT

UV = str(ROOT / ".venv/bin/uv")
NEWER = "99.0"
OLD_PIP = (
    "pip==22.3 --hash=sha256:1daab4b8d3b97d1d763caeb01a4640a2250a0ea899e257b1e44b9eded91e15ab\n"
)
"""The pip of Python 3.11.0, the oldest that the project runs on."""


def required_with_an_extra() -> set[NormalizedName]:
    """Return the names of the packages that an installed package requires with an extra."""
    found: set[NormalizedName] = set()
    for distribution in distributions():
        for line in distribution.requires or ():
            requirement = Requirement(line)
            if requirement.extras:
                found.add(canonicalize_name(requirement.name))
    return found


def make_newer(name: str, directory: Path) -> None:
    """Make a wheel of a release that is newer than every other, and holds nothing."""
    stem = f"{name.replace('-', '_')}-{NEWER}"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {NEWER}\n"
    tags = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(directory / f"{stem}-py3-none-any.whl", "w") as wheel:
        for file, text in (("METADATA", metadata), ("WHEEL", tags), ("RECORD", "")):
            wheel.writestr(f"{stem}.dist-info/{file}", text)


def locked_wheels(lock: Path) -> Path:
    """Return the directory of the lock's wheels and the old pip's, downloaded once for each lock.

    They stay beside the environment, as a download takes longer than all that is done with them.
    """
    content = lock.read_bytes() + OLD_PIP.encode()
    # A directory for each lock: filling one removes what an earlier content of it has left.
    parent = ROOT / ".venv" / f"wheels-{lock.stem}"
    directory = parent / hashlib.sha256(content).hexdigest()[:16]
    parent.mkdir(parents=True, exist_ok=True)
    # Several test processes need them at once; the first one downloads them for all.
    with (parent / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not directory.is_dir():
            _fill(directory, lock)
    return directory


def old_pip(lock: Path) -> Path:
    """Return a directory with the old pip of the lock's wheels: it runs from it, as from its wheel.

    From the wheel itself, each run would compile it again, which takes longer than what it does.
    """
    wheels = locked_wheels(lock)
    (wheel,) = wheels.glob("pip-22.3-*.whl")
    unpacked = wheels.parent / f"{wheels.name}-old-pip"
    if not unpacked.is_dir():
        unfinished = Path(mkdtemp(dir=wheels.parent))
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(unfinished)
        with suppress(OSError):  # another process was first
            unfinished.rename(unpacked)
    return unpacked / "pip"


def _fill(directory: Path, lock: Path) -> None:
    for old in directory.parent.iterdir():  # of an earlier lock, or not finished
        if old.is_dir():
            shutil.rmtree(old)
    # Renamed at the end: a download that was interrupted is not taken for a whole one.
    unfinished = Path(mkdtemp(dir=directory.parent))
    old_pip = unfinished / "old-pip.txt"
    old_pip.write_text(OLD_PIP)
    _download(lock, unfinished)
    _download(old_pip, unfinished)
    unfinished.rename(directory)


def _download(requirements: Path, directory: Path) -> None:
    """Download the wheel of each requirement that fits this machine best.

    uv tells their addresses. pip would read the whole page of each package, which takes longer than
    the download.
    """
    listed = directory / "pylock.toml"
    index = os.environ.get("UV_DEFAULT_INDEX") or _index_of_pip()
    subprocess.run(
        [UV, "pip", "compile", "--quiet", "--no-deps", str(requirements), "--output-file", listed],
        env={**os.environ, "UV_DEFAULT_INDEX": index},
        check=True,
    )
    found = tomllib.loads(listed.read_text())["packages"]
    listed.unlink()
    best = [_best([each["url"] for each in package["wheels"]]) for package in found]
    with requests.Session() as session, ThreadPoolExecutor(8) as pool:
        contents = pool.map(lambda url: (url, session.get(url, timeout=60)), best)
        for url, answer in contents:
            answer.raise_for_status()
            (directory / _file_name(url)).write_bytes(answer.content)


def _index_of_pip() -> str:
    """Return the mirror that pip's settings name, or nothing."""
    command = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    return os.environ.get("PIP_INDEX_URL") or told.stdout.strip()


def _best(urls: Sequence[str]) -> str:
    """Return the wheel that pip would take: the first that has the first possible tag of this."""
    tags = {url: parse_wheel_filename(_file_name(url))[3] for url in urls}
    return next(url for tag in sys_tags() for url in urls if tag in tags[url])


def _file_name(url: str) -> str:
    return unquote(urlsplit(url).path.rpartition("/")[2])


def foreign_settings_left_out() -> dict[str, str]:
    """Return the environment without what would tell pip or uv of other packages."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "UV_", "PYTHON"))}
    return {**kept, "PIP_CONFIG_FILE": os.devnull, "UV_NO_CONFIG": "1"}


def run_foreign(
    command: Sequence[str],
    environment: Mapping[str, str],
    given: str = "",
    directory: Path = Path(os.sep),
) -> str:
    """Run a command that must succeed, without this environment's own settings; return its output.

    Args:
        command: and its arguments.
        environment: is added.
        given: to standard input.
        directory: where it runs.
    """
    ended = subprocess.run(
        command,
        input=given,
        env={**foreign_settings_left_out(), **environment},
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def run_reporting(*command: str) -> str:
    """Run a command that must succeed, without settings; return what it writes to standard error.

    Args:
        command: and its arguments.
    """
    ended = subprocess.run(
        command, env=foreign_settings_left_out(), capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stderr


def run_quietly(*command: str, environment: Mapping[str, str], directory: Path) -> str:
    """Run a command that must succeed without a line to standard error; return its output.

    Args:
        command: and its arguments.
        environment: all of it.
        directory: where it runs.
    """
    ended = subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout
