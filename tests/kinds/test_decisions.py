"""Only the table of kinds says how kinds differ: no other module decides by a kind's name."""

import ast
from pathlib import Path

from artifact_pipeline.domain.model.kinds import ArtifactKind

ROOT = Path(__file__).parents[2]
NAMED = {
    # Functions and methods of the platform, each of one kind by its name.
    "domain/platform/job_controller.py": "submit_job and the like",
    "domain/catalog/platform_records.py": "submit: the job's input",
    "domain/model/keys.py": "job_config_key and the like",
    "domain/platform/submissions.py": "which function takes an upload of the kind",
    "domain/platform/use_cases.py": "submit_job and the like",
    "domain/platform/store_repositories.py": "the repository of results, on any store",
    "domain/platform/repository_shapes.py": "results have their own repository",
    # Names to import, and an example.
    "tasks/downloads.py": "the names that producers import",
    "tasks/uploads.py": "the names that producers import",
    "worker/cli/batch/options.py": "any kind, to check the ids",
    "worker/demo/story.py": "the demo's job",
}
_TABLE = "domain/model/kinds.py"
# Each says what the tables were then.
_MIGRATIONS = ROOT / "worker/sql/migrations/versions"
_NAMES = {*ArtifactKind, *(kind.name for kind in ArtifactKind)}


def kinds_named_in(path: Path) -> set[str]:
    """Return the kinds that a module names, as members or as texts of their own."""
    text = path.read_text()
    if not any(name in text for name in _NAMES):
        return set()
    named = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute):
            named.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            named.add(node.value)
    return named & _NAMES


def test_no_other_module_names_a_kind() -> None:
    # Given
    modules = [
        path.relative_to(ROOT).as_posix()
        for package in ("domain", "tasks", "worker")
        for path in (ROOT / package).rglob("*.py")
        if _MIGRATIONS not in path.parents
    ]
    # When
    naming = {name for name in modules if kinds_named_in(ROOT / name)}
    # Then
    assert naming - {_TABLE} == NAMED.keys()


def test_a_kind_that_is_named_is_seen(tmp_path: Path) -> None:
    # Given
    module = tmp_path / "module.py"
    # When
    module.write_text('x = ArtifactKind.RUN_LOGS\ny = kind == "job_input"\n')
    # Then
    assert kinds_named_in(module) == {"RUN_LOGS", "job_input"}
