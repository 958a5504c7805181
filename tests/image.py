"""The Dockerfile, and what its first stage makes, in a directory instead of in a container."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.lent_bytecode import lend_bytecode

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text()


class Instruction(NamedTuple):
    name: str
    argument: str


def stages(text: str) -> list[list[Instruction]]:
    """The instructions of each stage, which begins with its FROM; comments are left out."""
    joined = re.sub(r"(?m)^#.*\n", "", text).replace("\\\n", " ")
    found: list[list[Instruction]] = []
    for line in filter(None, joined.splitlines()):
        instruction = Instruction(*line.split(maxsplit=1))
        if instruction.name == "FROM":
            found.append([])
        found[-1].append(instruction)
    return found


def environment_of(root: Path) -> Path:
    """Return what the image has as /opt/venv."""
    return root / "opt/venv"


def build(sources: Path, root: Path) -> Path:
    """Do as the first stage says, below `root`.

    Args:
        sources: what the builder is given.
        root: stands for the container's root directory.

    Returns:
        The environment that the image has as /opt/venv.
    """
    directory = root
    for name, argument in stages(DOCKERFILE)[0]:
        if name == "WORKDIR":
            directory = Path(f"{root}{argument}")
            directory.mkdir(parents=True)
        elif name == "COPY":
            _copy(sources, argument, directory)
        elif name == "RUN":
            _install(argument.replace("/opt/", f"{root}/opt/"), directory, root)
        else:
            assert name == "FROM", name
    return environment_of(root)


def _copy(sources: Path, argument: str, directory: Path) -> None:
    *names, target = argument.split()
    for name in names:
        if (sources / name).is_dir():
            # Links stay links, as they do for COPY.
            shutil.copytree(sources / name, directory / target, symlinks=True)
        else:
            shutil.copy(sources / name, directory / target)


def _install(command: str, directory: Path, root: Path) -> None:
    """Run the command; what it would compile that is here already is copied.

    The last command compiles what is left.
    """
    if " sync " not in command:
        _run(command, directory)
        return
    _run(command.replace(" --compile-bytecode ", " "), directory)
    (packages,) = environment_of(root).rglob("site-packages")
    lend_bytecode(packages)


def _run(command: str, directory: Path) -> None:
    foreign = ("PYTHON", "COV_", "VIRTUAL_ENV")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
    ended = subprocess.run(
        ["/bin/sh", "-ec", command],
        cwd=directory,
        env={**inherited, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, f"{command}\n{ended.stdout}{ended.stderr}"
