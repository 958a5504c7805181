"""The templates: every value is escaped, and a name that is missing is an error."""

from functools import cache
from hashlib import sha256
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from artifact_pipeline.worker.web.pages.formats import FILTERS

_WEB = Path(__file__).resolve().parents[1]
STATIC = _WEB / "static"
_TEMPLATES = _WEB / "templates"


@cache
def environment() -> Environment:
    """Return the environment of all templates."""
    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # The files of a process do not change, so they are read once.
        auto_reload=False,
        cache_size=-1,
    )
    made.filters.update(FILTERS)
    return made


def compile_all() -> None:
    """Compile all templates, so that no visitor waits for it."""
    for name in environment().list_templates():
        environment().get_template(name)


@cache
def version_of(name: str) -> str:
    """Return what changes with a static file's bytes, so that browsers may keep the file."""
    return sha256((STATIC / name).read_bytes()).hexdigest()[:12]
