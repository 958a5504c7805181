"""Tables, and the marks between which a page of the documentation has them."""

from collections.abc import Iterable, Mapping
from pathlib import Path

_BEGIN, _END = "<!-- {} -->\n", "<!-- /{} -->\n"


def table(head: str, rows: Iterable[str]) -> str:
    """Return a table in Markdown. Args: the cells of each line with ` | ` between them."""
    dashes = " | ".join(["---"] * (head.count("|") + 1))
    lines = [head, dashes, *rows]
    return "".join(f"| {line} |\n" for line in lines)


def marked(name: str, content: str) -> str:
    """Return a table between the marks of its name, as a page has it."""
    return f"{_BEGIN.format(name)}\n{content}\n{_END.format(name)}"


def replace_tables(page: Path, tables: Mapping[str, str]) -> None:
    """Put each table between the page's marks of its name, in place of the one there."""
    text = page.read_text()
    for name, content in tables.items():
        before, rest = text.split(_BEGIN.format(name))
        text = f"{before}{marked(name, content)}{rest.split(_END.format(name))[1]}"
    page.write_text(text)
