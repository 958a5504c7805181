"""Comments, docstrings and documents are in plain English: a stranger reads them first."""

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
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
COMMENT = re.compile(r"(?m)(?:^|\s)# (.+)$")
SECTIONS = ("Args:", "Attributes:", "Raises:", "Returns:", "Yields:")
# A page of 1280 px shows this many characters of a line of code.
WIDEST_COMMENT = 88
MANY_WORDS, MOST_LONG_SENTENCES = 30, 0.05


def sources() -> Iterator[Path]:
    for name in CODE:
        path = ROOT / name
        yield from [path] if path.is_file() else sorted(path.rglob("*.py"))


@cache
def docstrings(path: Path) -> list[str]:
    return list(_docstrings(ast.parse(path.read_text())))


def _docstrings(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            text = node.value.value
            if isinstance(text, str):
                yield text


def prose_of_code() -> Iterator[str]:
    for path in sources():
        yield from docstrings(path)
        # In a text a hash sign may begin none: that is rare, and a tokenizer takes long.
        yield from COMMENT.findall(path.read_text())


def pages(*names: str) -> Iterator[Path]:
    for name in names:
        path = ROOT / name
        yield from [path] if path.is_file() else sorted(path.rglob("*.md"))


def prose_of_pages() -> Iterator[str]:
    for page in pages(*PAGES):
        yield re.sub(r"(?s)```.*?```|`[^`]*`", " ", page.read_text())


def sentences(text: str) -> Iterator[str]:
    """Yield the sentences of paragraphs and lists, with each code and link as one word."""
    prose = re.sub(r"(?s)```.*?```", "", text)
    prose = re.sub(r"(?m)^(?:\||#| {4}[^-]).*$", "", prose)
    prose = re.sub(r"`[^`]*`|\]\([^)]*\)", "X", prose)
    for paragraph in re.split(r"\n\s*\n|\n(?= *(?:[-*]|\d+\.) )", prose):
        yield from re.split(r"(?<=[.:!?])\s+", " ".join(paragraph.split()))


def code_of(page: Path) -> Iterator[str]:
    """Yield the lines of the page's code, but of no diff, which has those of a source."""
    text = page.read_text()
    for block in re.findall(r"(?ms)^```(?!diff)\w*\n(.*?)^```", text):
        yield from block.splitlines()
    for block in re.findall(r"(?m)(?:^ {4}.*\n)+", re.sub(r"(?s)```.*?```", "", text)):
        yield from (line[4:] for line in block.splitlines())


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
        for text in docstrings(path)
        if text.lstrip().startswith(SECTIONS)
    ]
    assert without == []


def test_long_sentences_are_rare() -> None:
    found = [each for page in pages("docs", "README.md") for each in sentences(page.read_text())]
    long = [each for each in found if len(each.split()) > MANY_WORDS]
    assert len(found) > 1_000
    assert len(long) / len(found) < MOST_LONG_SENTENCES, long


def test_comments_in_code_fit_the_page() -> None:
    lines = [(page, line) for page in pages("docs") for line in code_of(page)]
    comments = [(page, line) for page, line in lines if re.search(r"(?:^| )# ", line)]
    assert len(comments) > 50
    too_wide = [f"{page.name}: {line}" for page, line in comments if len(line) > WIDEST_COMMENT]
    assert too_wide == []
