"""Where long work continues: its row of the table `upkeep`."""

from typing import Any

from sqlalchemy import Connection, select

from artifact_pipeline.worker.sql.engine import insert_into
from artifact_pipeline.worker.sql.tables import UpkeepRow


def read_position(connection: Connection, name: str) -> int:
    """Return where the work of this name continues; 0 for the beginning."""
    kept = select(UpkeepRow.position).where(UpkeepRow.name == name)
    return connection.scalar(kept) or 0


def keep_upkeep(connection: Connection, name: str, **values: Any) -> None:  # noqa: ANN401 - of any column
    """Set columns of the row of the work, which need not exist."""
    row = insert_into(connection.dialect.name, UpkeepRow).values(name=name, **values)
    connection.execute(row.on_conflict_do_update(index_elements=["name"], set_=values))
