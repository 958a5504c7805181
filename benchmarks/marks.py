"""Tables between marks in a page of the documentation."""

from collections.abc import Mapping
from pathlib import Path

_BEGIN, _END = "<!-- {} -->\n", "<!-- /{} -->\n"


def marked(name: str, table: str) -> str:
    """Return the table between the marks of its name, as a page has it."""
    return f"{_BEGIN.format(name)}\n{table}\n{_END.format(name)}"


def replace_tables(page: Path, tables: Mapping[str, str]) -> None:
    """Put each table between the page's marks of its name, in place of the one there."""
    text = page.read_text()
    for name, table in tables.items():
        before, rest = text.split(_BEGIN.format(name))
        text = f"{before}{marked(name, table)}{rest.split(_END.format(name))[1]}"
    page.write_text(text)
