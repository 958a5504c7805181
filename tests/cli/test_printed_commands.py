"""Each command line that the documents, the commands and their errors print is a valid one."""

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import typer

from artifact_pipeline.worker.cli.main import COMMANDS
from tests.cli.tree import commands, parse

PROGRAM = Path(__file__).parents[2]
DOCUMENTS = [PROGRAM / "README.md", *sorted((PROGRAM / "docs").rglob("*.md"))]
SOURCES = sorted(path for name in ("domain", "worker") for path in (PROGRAM / name).rglob("*.py"))
_NAMES = "|".join(COMMANDS)
# A line of a block, perhaps behind a prompt, or what stands between backticks.
_LINE = re.compile(
    rf"^ +(?:\$ )?(?:[a-z ]*exec [\w -]*?)?artifacts ((?:{_NAMES})\b.*)$", re.MULTILINE
)
_INLINE = re.compile(rf"`artifacts ((?:{_NAMES})\b[^`]*)`")
_PRINTED = re.compile(rf"artifacts ((?:{_NAMES})\b(?!:)[^`\n;]*)")
_CONTINUED = re.compile(r"""(["'])\s+f?\1""")
# What stands for something else, and what it may stand for.
_EXAMPLES = {"ID": "1", "N": "1"}
_VALUES = {"queue": "configs", "reason": "source_missing", "kind": "job_config"}


def in_document(path: Path) -> Iterator[str]:
    text = path.read_text().replace(" \\\n", " ")  # a long command takes several lines
    yield from (match[1] for match in _LINE.finditer(text))
    yield from (match[1] for match in _INLINE.finditer(text))


def in_source(path: Path) -> Iterator[str]:
    """Those in its texts, but not in its docstrings, which the commands do not print."""
    source = path.read_text()
    # Parsing every source takes a second, so look first; a literal may be continued on a new line.
    if "artifacts " in source and _PRINTED.search(_CONTINUED.sub("", source)):
        for text in _texts(ast.parse(source)):
            yield from (match[1].strip() for match in _PRINTED.finditer(text))


def _texts(tree: ast.AST) -> Iterator[str]:
    todo: list[ast.AST] = [tree]
    while todo:
        match node := todo.pop():
            case ast.Expr(value=ast.Constant()):
                pass  # a docstring
            case ast.JoinedStr(values=parts):
                yield "".join(_part(part) for part in parts)
                todo += [part for part in parts if not isinstance(part, ast.Constant)]
            case ast.Constant(value=str(text)):
                yield text
            case _:
                todo += ast.iter_child_nodes(node)


def _part(part: ast.expr) -> str:
    """The text, or an example of the value that is filled in."""
    if isinstance(part, ast.Constant):
        return str(part.value)
    assert isinstance(part, ast.FormattedValue)
    name = ast.unparse(part.value).rpartition(".")[2]
    return _VALUES.get(name, "1")


def words_of(line: str) -> list[str]:
    """The words of the line, whose comment is cut and whose placeholders are filled in."""
    command = re.split(r" \\?\| ", line)[0]  # in a table of Markdown, a pipe is escaped
    words = [_EXAMPLES.get(word, word) for word in shlex.split(command, comments=True)]
    if "--reason" in words and words[-1] == "…" and words[0] == "quarantine":
        words[-1] = "source_missing"
    return words


def is_group(words: list[str]) -> bool:
    """Whether the text only names a group, such as `artifacts jobs uploads …`."""
    named = " ".join(words).removesuffix(" …")
    return any(path.startswith(f"{named} ") for path, _ in commands())


@cache
def printed() -> list[tuple[str, str]]:
    found = [(path, line) for path in DOCUMENTS for line in in_document(path)]
    found += [(path, line) for path in SOURCES for line in in_source(path)]
    return sorted({(str(path.relative_to(PROGRAM)), line) for path, line in found})


@pytest.fixture(autouse=True)
def _results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current directory has the results that the documents upload."""
    (tmp_path / "output" / "RUN4").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)


def refusal(line: str) -> str:
    """What is wrong with the line; empty if it is accepted."""
    words = words_of(line)
    try:
        if not is_group(words):
            parse(words)
    except typer.TyperException as error:
        return error.format_message() or type(error).__name__
    return ""


# A test for each line would take five times as long.
@pytest.mark.parametrize("path", sorted({path for path, _ in printed()}))
def test_the_commands_that_are_printed_are_accepted(path: str) -> None:
    refused = {line: refusal(line) for of_path, line in printed() if of_path == path}
    assert {line: why for line, why in refused.items() if why} == {}


def test_the_documents_and_the_sources_were_read() -> None:
    paths = {path for path, _ in printed()}
    assert {"README.md", "docs/batches.md", "docs/operations/deployment.md"} <= paths
    assert {
        "worker/cli/batch/preview.py",
        "worker/cli/demo_run.py",
        "worker/cli/dev_run.py",
    } <= paths
    assert {"worker/diagnosis/database.py", "worker/sql/errors.py"} <= paths


@pytest.mark.parametrize(
    "line", ["jobs info --job 12", "jobs nope", "batch start 1", "quarantine retry --reason no"]
)
def test_a_wrong_one_would_be_found(line: str) -> None:
    assert refusal(line)


def test_every_command_is_documented() -> None:
    text = "\n".join(document.read_text() for document in DOCUMENTS)
    documented = {
        path for path, _ in commands() if re.search(rf"\b{path.replace(' ', ' +')}\b", text)
    }
    assert {path for path, _ in commands()} - documented == set()
