"""The documentation site: `make docs` builds it into build/docs, without a network."""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

# Sphinx runs this file outside the package, so it does not find its neighbour alone.
sys.path.insert(0, str(Path(__file__).parent))

from reference_pages import fill_in

project = "artifact-pipeline"
author = copyright = "the artifact-pipeline authors"  # noqa: A001 - Sphinx's name
release = version = version_of(project)

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
source_suffix = {".md": "markdown"}
exclude_patterns = ["iam"]
myst_enable_extensions = ["colon_fence", "deflist"]
# Links to headings, as GitHub names their anchors.
myst_heading_anchors = 4
nitpicky = False
autodoc_typehints = "description"
autodoc_member_order = "bysource"
copybutton_exclude = ".linenos, .gp, .go"

html_theme = "furo"
html_title = f"artifact-pipeline {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_show_copyright = False


def setup(app) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - Sphinx's hook
    app.connect("source-read", fill_in)
