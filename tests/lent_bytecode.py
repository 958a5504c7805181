"""The bytecode of this environment, for another one that has the same packages."""

import shutil
import sysconfig
from importlib.util import cache_from_source
from pathlib import Path


def lend_bytecode(packages: Path) -> None:
    """Copy each module that is the same in this environment, with its bytecode.

    Compiling them takes as long as all that a demo does.

    Args:
        packages: the site-packages of another environment of this Python.
    """
    own = Path(sysconfig.get_path("purelib"))
    for record in packages.glob("*.dist-info/RECORD"):
        ours = own / record.relative_to(packages)
        if ours.exists():
            for line in _modules_of(record) & _modules_of(ours):
                name = line.partition(",")[0]
                _lend(own / name, packages / name)


def _modules_of(record: Path) -> set[str]:
    """Return the paths of a distribution's modules, each with the hash of what is in it."""
    return {line for line in record.read_text().splitlines() if ".py,sha256=" in line}


def _lend(ours: Path, theirs: Path) -> None:
    compiled = Path(cache_from_source(str(ours)))
    if compiled.exists():
        theirs.unlink()  # it may be a link to uv's cache
        shutil.copy2(ours, theirs)  # with the time, which the bytecode names
        target = Path(cache_from_source(str(theirs)))
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(compiled, target)
