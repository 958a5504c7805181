"""Trees whose paths are longer than the system takes at once."""

import os
import stat
from contextlib import suppress
from pathlib import Path


def write(root: Path, name: str, content: bytes) -> None:
    """Write a file below the root, or make a directory whose name ends with a slash."""
    *above, leaf = name.split("/")
    directory = os.open(root, os.O_RDONLY)
    for part in above:
        with suppress(FileExistsError):
            os.mkdir(part, dir_fd=directory)
        deeper = os.open(part, os.O_RDONLY, dir_fd=directory)
        os.close(directory)
        directory = deeper
    if not leaf:
        os.close(directory)
        return
    file = os.open(leaf, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=directory)
    os.write(file, content)
    os.close(file)
    os.close(directory)


def contents(root: Path) -> dict[str, bytes]:
    """Return every file below the root by its path, and each empty directory with a slash."""
    found: dict[str, bytes] = {}
    to_do = [("", os.open(root, os.O_RDONLY))]
    while to_do:
        prefix, directory = to_do.pop()
        names = os.listdir(directory)  # noqa: PTH208 - of a descriptor
        if not names:
            found[prefix] = b""
        for name in names:
            opened = os.open(name, os.O_RDONLY, dir_fd=directory)
            if stat.S_ISDIR(os.fstat(opened).st_mode):
                to_do.append((f"{prefix}{name}/", opened))
                continue
            with os.fdopen(opened, "rb") as file:
                found[prefix + name] = file.read()
        os.close(directory)
    return found
