"""What `artifacts db prune` does."""

from dataclasses import asdict, replace
from datetime import timedelta

import typer

from artifact_pipeline.domain.errors import ConfigurationError
from artifact_pipeline.domain.maintenance.prune_history import PruneHistory
from artifact_pipeline.domain.model.history import PrunedRows
from artifact_pipeline.domain.model.operator_actions import ActionName, action_reason
from artifact_pipeline.tasks.app import producer_app
from artifact_pipeline.tasks.dead_letters import old_dead_letters, prune_dead_letters
from artifact_pipeline.tasks.publish import broker_channel
from artifact_pipeline.worker.cli.output import note, show_rows
from artifact_pipeline.worker.composition.operator import audited, database
from artifact_pipeline.worker.settings import BrokerSettings, HistorySettings, load
from artifact_pipeline.worker.sql.history import SqlHistory


class Prune:
    """Prunes the history of the configured database and broker.

    Args: `older_than` is how old it must be; None for the setting.
    """

    def __init__(self, older_than: timedelta | None) -> None:
        # Do not use `or`: an age of zero is one.
        self._older_than = _configured() if older_than is None else older_than
        self._prune = PruneHistory(
            history=SqlHistory(database().engine),
            older_than=self._older_than,
            prune_letters=lambda _older_than: self._letters(delete=True),
        )

    def __call__(self, *, actor: str | None, reason: str | None) -> PrunedRows:
        """Delete the rows, and keep the action in the audit trail."""
        about = {"older_than": f"{self._older_than / timedelta(days=1):g} days"}
        with audited(
            ActionName.PRUNE, actor=actor, reason=action_reason(reason), target=about
        ) as action:
            rows = self._prune.everything()
            action.came_to(f"{sum(asdict(rows).values()):,} rows deleted")
        return rows

    def count(self) -> PrunedRows:
        return replace(self._prune.count(), dead_letters=self._letters(delete=False))

    def _letters(self, *, delete: bool) -> int:
        try:
            broker = load(BrokerSettings).broker
        except ConfigurationError as error:
            note(f"dead letters are left, because they are in the broker: {error}")
            return 0
        with broker_channel(producer_app(broker)) as channel:
            if delete:
                return prune_dead_letters(channel, self._older_than)
            return len(old_dead_letters(channel, self._older_than))


def show(rows: PrunedRows, *, as_json: bool) -> None:
    table = [{"table": name, "rows": number} for name, number in asdict(rows).items()]
    show_rows(table, as_json=as_json, empty="")


def _configured() -> timedelta:
    older_than = load(HistorySettings).history
    if older_than is None:
        raise typer.BadParameter(
            "--older-than is missing, and ARTIFACTS_HISTORY_DAYS is not set: "
            "give an age, such as 90d"
        )
    return older_than
