"""What a database has: tables, columns, keys, indexes and rows."""

from sqlalchemy import Engine, inspect, text

_ENUMS = (
    "SELECT typname, enumlabel FROM pg_enum JOIN pg_type ON pg_type.oid = enumtypid"
    " ORDER BY typname, enumsortorder"
)


def tables(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names())


def definitions(engine: Engine, names: set[str]) -> dict[str, object]:
    """All that can be seen of those tables: columns, keys, indexes and rows."""
    look = inspect(engine)
    found: dict[str, object] = {
        name: (
            [{**column, "type": repr(column["type"])} for column in look.get_columns(name)],
            look.get_pk_constraint(name),
            look.get_foreign_keys(name),
            _indexes(engine, name),
            _rows(engine, f"SELECT * FROM {name}"),  # noqa: S608
        )
        for name in names
    }
    if engine.dialect.name == "postgresql":
        found["enums"] = _rows(engine, _ENUMS)
    return found


def _rows(engine: Engine, query: str) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def _indexes(engine: Engine, table: str) -> list[str]:
    """As the database writes them, expressions and conditions included."""
    query = {
        "postgresql": "SELECT indexdef FROM pg_indexes WHERE tablename = :t ORDER BY indexname",
        "sqlite": "SELECT sql FROM sqlite_master"
        " WHERE tbl_name = :t AND type = 'index' ORDER BY name",
    }[engine.dialect.name]
    with engine.connect() as connection:
        found = connection.scalars(text(query), {"t": table}).all()
    return [" ".join(definition.split()) for definition in found if definition]


def shape(engine: Engine, names: set[str]) -> dict[str, object]:
    """What a mapping decides; defaults in the database are the platform's affair."""
    look = inspect(engine)
    return {
        name: (
            {
                column["name"]: (repr(column["type"]), column["nullable"])
                for column in look.get_columns(name)
            },
            look.get_pk_constraint(name)["constrained_columns"],
            [
                (key["constrained_columns"], key["referred_table"])
                for key in look.get_foreign_keys(name)
            ],
            _indexes(engine, name),
        )
        for name in names
    }
