"""Makes the tables of the reference from the code, while the site is built.

A page has `<!-- generated: NAME -->` where the table goes.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin

from pydantic_settings import BaseSettings

_MARKER = re.compile(r"<!-- generated: (\w+) -->")
_OUTSIDE = re.compile(r"\]\(\.\./([A-Z]+)\.md")
_PAGE_OF = {"README": "index"}
_OPERATIONS = Path(__file__).parent / "operations"
_DESCRIBED_IN = ("settings", "troubleshooting")
_COLUMNS = 3


def fill_in(_app: object, _page: str, source: list[str]) -> None:
    """Replace the markers of a page, and links to files outside `docs`.

    Sphinx calls it for each page that it reads.
    """
    text = _MARKER.sub(lambda marker: PAGES[marker[1]](), source[0])
    source[0] = _OUTSIDE.sub(lambda link: f"]({_PAGE_OF.get(link[1], link[1].lower())}.md", text)


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(value: object) -> str:
    return " ".join(str(value).replace("|", "\\|").split())


def commands() -> str:
    """Return the help of every command, as `typer … utils docs` writes it."""
    import typer.cli  # noqa: PLC0415 - each page imports what it needs

    from artifact_pipeline.worker.cli.main import COMMANDS  # noqa: PLC0415
    from artifact_pipeline.worker.cli.root import make_app  # noqa: PLC0415

    command = _loaded(typer.main.get_command(make_app(COMMANDS)))
    context = typer.Context(command, info_name="artifacts")
    text = typer.cli.get_docs_for_click(obj=command, ctx=context, name="artifacts")
    # The page has a title already. A command's path says below which one it is.
    return re.sub(r"(?m)^#+ ", "## ", _without_markup(text))


def _loaded(command: Any) -> Any:  # noqa: ANN401 - Typer exports no name for its commands' class
    """Return the real command, with all below it."""
    from artifact_pipeline.worker.cli.lazy import LazyCommand  # noqa: PLC0415

    real = command.load() if isinstance(command, LazyCommand) else command
    # Else Typer cuts the summary in the lists of commands.
    real.short_help = (real.help or "").split("\n\n")[0]
    for name, below in getattr(real, "commands", {}).items():
        real.commands[name] = _loaded(below)
        real.commands[name].name = name
    return real


def _without_markup(text: str) -> str:
    """Drop the markup of the terminal."""
    return re.sub(r"\[/?(?:bold|dim|cyan|green|red|yellow)[^\]]*\]", "", text)


def settings() -> str:
    """Return a definition of each variable, with who reads it."""
    return "\n\n".join(_setting(name) for name in _all_settings())


def _all_settings() -> list[str]:
    from artifact_pipeline.worker import settings as module  # noqa: PLC0415

    return list(
        dict.fromkeys(name for reader in _readers(module) for name in reader[1].model_fields)
    )


def _readers(module: Any) -> Iterator[tuple[str, type[BaseSettings]]]:  # noqa: ANN401 - a module
    yield "workers", module.WorkerSettings
    yield "producers", module.ProducerSettings
    yield "beat, Flower", module.ControlSettings
    yield "metrics", module.MetricsSettings
    yield "commands on the bucket", module.OperatorSettings
    yield "batch commands", module.BatchSettings
    yield "downloads", module.DownloadSettings
    yield "retention previews", module.RetentionSettings
    yield "web", module.WebSettings


def _setting(name: str) -> str:
    from artifact_pipeline.worker import settings as module  # noqa: PLC0415

    readers = [(who, of) for who, of in _readers(module) if name in of.model_fields]
    field = readers[0][1].model_fields[name]
    variable = f"ARTIFACTS_{name.upper()}"
    default = "required" if field.is_required() else f"default: {_shown(field.default)}"
    read_by = ", ".join(who for who, _ in readers)
    return (
        f"`{variable}`\n: {_row_of(variable)[2]}\n"
        f": {_values(field.annotation)}; {default}; read by {read_by}"
    )


def _shown(value: object) -> str:
    return "none" if value in (None, "") else f"`{str(value).lower()}`"


def _values(annotation: Any) -> str:  # noqa: ANN401 - whatever a field is annotated with
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    if isinstance(annotation, UnionType):
        return ", ".join(_values(each) for each in get_args(annotation) if each is not type(None))
    if hasattr(annotation, "__members__"):
        return ", ".join(f"`{value}`" for value in annotation)
    names = {"str": "text", "int": "whole number", "float": "number", "bool": "`true`, `false`"}
    if get_args(annotation):
        return _values(get_args(annotation)[0])
    name: str = annotation.__name__
    return names.get(name, name.lower())


def _row_of(name: str) -> list[str]:
    """Return the cells of the row that begins with this name, or lists it.

    Raises:
        LookupError: no row has it.
    """
    for page in _DESCRIBED_IN:
        for line in (_OPERATIONS / f"{page}.md").read_text().splitlines():
            cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            if line.startswith("| `") and len(cells) == _COLUMNS and name in _named(cells[0]):
                return [*cells[:2], _with_links_from_reference(cells[2], page)]
    raise LookupError(f"{name} has no row in a table of {_OPERATIONS}: {_DESCRIBED_IN}")


def _named(cell: str) -> list[str]:
    """Return the names in a cell, such as `ARTIFACTS_BACKOFF_BASE_SECONDS`, `…_CAP_SECONDS`."""
    first, *others = re.findall(r"`([\w…]+)`", cell)
    stem = first.removesuffix("BASE_SECONDS")
    return [first, *(other.replace("…_", stem) for other in others)]


def _with_links_from_reference(text: str, page: str) -> str:
    """Make the links of a page of operations lead to the same places from the reference."""
    links = re.sub(r"\]\(#", f"]({page}.md#", text)
    return re.sub(r"\]\((?!\.\./|https?:)", "](../operations/", links)


def tasks() -> str:
    """Return a row for each task."""
    from artifact_pipeline.tasks.app import make_app  # noqa: PLC0415

    app = make_app("redis://")
    app.loader.import_default_modules()
    names = sorted(name for name in app.tasks if name.startswith("artifacts."))
    rows = [(f"`{name}`", _arguments(app.tasks[name]), _queue(app, name)) for name in names]
    return _table(("name", "arguments", "queue"), rows)


def _arguments(task: Any) -> str:  # noqa: ANN401 - of Celery
    return ", ".join(
        f"`{name}`" if field.is_required() else f"`{name}` (optional)"
        for name, field in task.arguments.model_fields.items()
    )


def _queue(app: Any, name: str) -> str:  # noqa: ANN401 - of Celery
    queue = app.amqp.router.route({}, name)["queue"]
    return f"`{queue.name}`"


def reasons() -> str:
    """Return a row for each reason code."""
    from artifact_pipeline.domain.errors import PermanentError, TransferError  # noqa: PLC0415

    rows = {
        (
            f"`{error.reason}`",
            "permanent" if issubclass(error, PermanentError) else "transient",
            _row_of(error.reason)[2],
        )
        for error in _below(TransferError)
        if error.__module__ == "artifact_pipeline.domain.errors" and error.__subclasses__() == []
    }
    return _table(("reason code", "", "meaning"), sorted(rows))


def _below(error: Any) -> Iterator[Any]:  # noqa: ANN401 - a class of errors
    for child in error.__subclasses__():
        yield child
        yield from _below(child)


def tables() -> str:
    """Return the columns of the pipeline's own tables."""
    from artifact_pipeline.worker.sql.tables import PipelineBase  # noqa: PLC0415

    return "\n\n".join(_columns(table) for table in PipelineBase.metadata.sorted_tables)


def _columns(table: Any) -> str:  # noqa: ANN401 - of SQLAlchemy
    rows = [
        (f"`{column.name}`", _type_of(column), "" if column.nullable else "not null", _key(column))
        for column in table.columns
    ]
    return f"## `{table.name}`\n\n{_table(('column', 'type', '', 'key'), rows)}"


def _type_of(column: Any) -> str:  # noqa: ANN401 - of SQLAlchemy
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415

    dialect: Any = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's
    return str(column.type.compile(dialect=dialect)).lower()


def _key(column: Any) -> str:  # noqa: ANN401 - of SQLAlchemy
    foreign = [f"of `{key.target_fullname}`" for key in column.foreign_keys]
    return ", ".join([*(["primary"] if column.primary_key else []), *foreign])


def metrics() -> str:
    """Return a table of the metrics of each part."""
    from artifact_pipeline.worker.metrics import catalogue  # noqa: PLC0415

    parts = (
        ("The exporter", catalogue.OF_THE_EXPORTER),
        ("SQL", catalogue.OF_SQL),
        ("The broker", catalogue.OF_THE_BROKER),
        ("The workers", catalogue.OF_THE_WORKERS),
    )
    return "\n\n".join(f"## {title}\n\n{_metrics_of(specs)}" for title, specs in parts)


def _metrics_of(specs: Iterable[Any]) -> str:
    rows = [
        (
            f"`{each.name}`",
            each.type,
            ", ".join(f"`{label}`" for label in each.labels),
            each.meaning,
        )
        for each in specs
    ]
    return _table(("metric", "type", "labels", "meaning"), rows)


def api() -> str:
    """Return a directive for each public name. It takes its text from the docstring."""
    import artifact_pipeline  # noqa: PLC0415

    directives = "\n".join(
        f".. auto{_sort_of(getattr(artifact_pipeline, name))}:: artifact_pipeline.{name}"
        for name in artifact_pipeline.__all__
    )
    return f"```{{eval-rst}}\n{directives}\n```"


def _sort_of(public: object) -> str:
    if isinstance(public, type):
        return "exception" if issubclass(public, Exception) else "class"
    return "function" if callable(public) else "data"


PAGES: dict[str, Callable[[], str]] = {
    page.__name__: page for page in (api, commands, metrics, reasons, settings, tables, tasks)
}
