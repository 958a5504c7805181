"""How far an audit is."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from artifact_pipeline.domain.model.id_set import IdSet


@dataclass(slots=True)
class AuditCursor:
    """How far an audit is. Another process can continue from it.

    Attributes:
        after_key: the store has been read up to this key; None once it has been read to its end.
        after_job: the jobs of the records up to this one have been looked for in the store.
        seen: the jobs that the store has something of.
        is_past_uploads: the unfinished uploads in the store have been looked at.
        after_transfer: the transfers up to this one have been looked at.
        counts: what has been looked at, and how often each verdict was found.
        repairs: how many findings were repaired in which way.
    """

    after_key: str | None = ""
    after_job: int = 0
    seen: IdSet = field(default_factory=IdSet)
    is_past_uploads: bool = False
    after_transfer: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    repairs: Counter[str] = field(default_factory=Counter)

    @property
    def looked_at(self) -> dict[str, int]:
        """Return how many objects and jobs were looked at."""
        return {name: self.counts[name] for name in _LOOKED_AT}

    @property
    def faults(self) -> dict[str, int]:
        """Return how often each fault was found."""
        return faults_in(self.counts)

    def dump(self) -> dict[str, Any]:
        """Return it as JSON can keep it."""
        return {
            "after_key": self.after_key,
            "after_job": self.after_job,
            "seen": self.seen.dump(),
            "is_past_uploads": self.is_past_uploads,
            "after_transfer": self.after_transfer,
            "counts": dict(self.counts),
            "repairs": dict(self.repairs),
        }

    @classmethod
    def load(cls, kept: Mapping[str, Any]) -> Self:
        """Return what `dump` has made an object of, perhaps in an earlier version."""
        return cls(
            after_key=kept["after_key"],
            after_job=kept["after_job"],
            seen=IdSet.load(kept["seen"]),
            is_past_uploads=kept.get("is_past_uploads", False),
            after_transfer=kept.get("after_transfer", 0),
            counts=Counter(kept["counts"]),
            repairs=Counter(kept.get("repairs", {})),
        )


_LOOKED_AT = ("objects", "jobs")


def faults_in(counts: Mapping[str, int]) -> dict[str, int]:
    """Return how often each fault was found, by the counts of a cursor."""
    return {name: n for name, n in sorted(counts.items()) if name not in _LOOKED_AT}


@dataclass(frozen=True, slots=True)
class AuditClaim:
    """The right to continue the periodic audit.

    Attributes:
        cursor: where to continue.
        fence: rises with each claim; only the holder of the highest may note anything.
    """

    cursor: AuditCursor
    fence: int


@dataclass(frozen=True, slots=True)
class AuditedPages:
    """What one run of the periodic audit has looked at.

    Attributes:
        objects: in the store.
        jobs: of SQL and of the store.
        faults: found in this run.
    """

    objects: int = 0
    jobs: int = 0
    faults: int = 0
