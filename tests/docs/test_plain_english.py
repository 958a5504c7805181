"""Comments, docstrings and documents are in plain English: a stranger reads them first."""

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.image import ROOT

MOST_IN_A_THOUSAND = 1.5
CODE = ("domain", "tasks", "worker", "benchmarks", "spec", "celeryconfig.py")
PAGES = ("docs", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
# Each is rare in other projects' documentation, and has a plain equivalent.
ODD = re.compile(
    r"\b(?:whoever|whomever|wherever|whichever|anew|meanwhile|nobody|somebody|merely|foretold"
    r"|goes? on|hears? of|is told|tells of|the very|for ever|of which|by itself|there is none"
    r"|as ever|once more|no more|in the end|had its turn|thereby|brings? forth|of its own|midst"
    r"|likewise|mend(?:s|ed)?|farewell|of times before|at the most|what is (?:there|well|due|kept)"
    r"|that of|those of|has its|as it (?:is|was)|should it)\b",
    re.IGNORECASE,
)
SECTIONS = ("Args:", "Attributes:", "Raises:", "Returns:", "Yields:")


def sources() -> Iterator[Path]:
    for name in CODE:
        path = ROOT / name
        yield from [path] if path.is_file() else sorted(path.rglob("*.py"))


def docstrings(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            text = node.value.value
            if isinstance(text, str):
                yield text


def prose_of_code() -> Iterator[str]:
    for path in sources():
        source = path.read_text()
        yield from docstrings(ast.parse(source))
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.COMMENT:
                yield token.string


def prose_of_pages() -> Iterator[str]:
    for name in PAGES:
        path = ROOT / name
        for page in [path] if path.is_file() else sorted(path.rglob("*.md")):
            yield re.sub(r"(?s)```.*?```|`[^`]*`", " ", page.read_text())


@pytest.mark.parametrize("prose", [prose_of_code, prose_of_pages])
def test_odd_words_are_rare(prose: Callable[[], Iterator[str]]) -> None:
    words, odd = 0, Counter[str]()
    for text in prose():
        words += len(text.split())
        odd.update(match[0].lower() for match in ODD.finditer(text))
    assert words > 10_000
    rate = 1000 * odd.total() / words
    assert rate < MOST_IN_A_THOUSAND, odd.most_common(10)


def test_every_docstring_begins_with_a_summary() -> None:
    without = [
        f"{path.relative_to(ROOT)}: {text.strip().splitlines()[0]}"
        for path in sources()
        for text in docstrings(ast.parse(path.read_text()))
        if text.lstrip().startswith(SECTIONS)
    ]
    assert without == []
