"""Imports by the names that modules had before they were all in `artifact_pipeline`.

The wheel has no files called `domain`, `tasks` or `worker`: they would hide modules of the platform
that have these names. Its `.pth` file (in `legacy/`) adds a finder at the end of `sys.meta_path`
instead. Python asks that finder only if nothing else has the name, and the finder asks `spec_of`.
"""

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.importlib import MetaPathFinderProtocol

PACKAGE = "artifact_pipeline"
_FILE = Path(__file__).with_name("former_package.py")
STILL_DOCUMENTED = ("worker.app", "worker.control")
"""What commands of deployments name: `celery -A worker.app worker` works without a warning."""
MOVED = {
    "domain.artifacts": "domain.model.artifacts",
    "domain.batches": "domain.model.batches",
    "domain.controller": "domain.platform.job_controller",
    "domain.jobs": "domain.model.jobs",
    "domain.locations": "domain.model.locations",
    "domain.prefix": "domain.model.keys",
    "domain.transfers": "domain.model.transfers",
    "domain.use_cases": "domain.platform.use_cases",
    "tasks.contract": "tasks.routing",
    "tasks.enqueue": "tasks.publish",
    "worker.batches": "worker.composition.batches",
    "worker.database": "worker.composition.engine",
    "worker.producers": "worker.composition.producer",
    "worker.sql.requests": "worker.sql.transfers.requests",
}
"""The modules that producers import by the documents of before, and where they are now."""


def spec_of(package: str, finder: "MetaPathFinderProtocol") -> ModuleSpec | None:
    """Return the spec of a package of before: an empty one, which calls `answer_for`.

    Args:
        package: `domain`, `tasks` or `worker`.
        finder: which asks. An editable installation may have added its own finder later.
    """
    later = sys.meta_path[sys.meta_path.index(finder) + 1 :]
    found = filter(None, (other.find_spec(package, None) for other in later))
    # No directory: Python would load files in it a second time, under the former name.
    ours = spec_from_file_location(package, _FILE, submodule_search_locations=[])
    return next(found, ours)


def answer_for(package: str) -> None:
    """Let imports below this package find the modules of `artifact_pipeline`."""
    sys.meta_path.insert(0, _FormerNames(f"{package}."))


class _FormerNames(MetaPathFinder):
    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - MetaPathFinder's
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        if not fullname.startswith(self._prefix):
            return None
        name = f"{PACKAGE}.{MOVED.get(fullname, fullname)}"
        if find_spec(name) is None:
            return None
        if fullname not in STILL_DOCUMENTED:
            warnings.warn(
                f"{fullname} is deprecated: import from {PACKAGE} what docs/api.md lists",
                DeprecationWarning,
                stacklevel=2,
            )
        return ModuleSpec(fullname, _SameModule(name))


class _SameModule(Loader):
    """Loads a module under a second name, as the same object."""

    def __init__(self, name: str) -> None:
        self._name = name

    def create_module(self, spec: ModuleSpec) -> ModuleType:  # noqa: ARG002 - Loader's
        module = import_module(self._name)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # The import system has written the second name's spec into it.
        module.__spec__ = self._spec
