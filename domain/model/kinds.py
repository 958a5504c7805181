"""The kinds of artifacts: one row for each, from which everything else is derived.

Whatever differs between two kinds is a field of `KindSpec`. Names, places, queues, tasks, columns
and options follow from these rows, so a new kind is one more of them (docs/adding-a-kind.md).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class Scope(StrEnum):
    """What an artifact belongs to. The names of its kinds begin with it."""

    JOB = "job"
    RUN = "run"


class SizeClass(StrEnum):
    """How large artifacts of a kind may get. Each class has a queue."""

    SMALL = "small"
    LARGE = "large"


@dataclass(frozen=True, slots=True, kw_only=True)
class KindSpec:
    """What is particular to a kind. No field has a default: each is a decision.

    Attributes:
        scope: the job or one of its runs.
        title: the kind in a sentence for people, in the plural.
        file_name: of the object, and of the file in a workspace; `{run_id}` stands for the run.
        content_type: of the object. A zip can be listed and unpacked by the commands.
        size: decides the queue.
        packed_from: the directory in a workspace whose RUN* directories an upload packs into the
            zip; None if the file itself is uploaded.
        column: of the platform's `jobs` or `runs`, with the location; None without one.
        completes_run: recording it makes the run DONE.
        from_client: a client may put it into the bucket by an upload URL.
        archived: `archive` takes it without being told to.
    """

    scope: Scope
    title: str
    file_name: str
    content_type: str
    size: SizeClass
    packed_from: str | None
    column: str | None
    completes_run: bool
    from_client: bool
    archived: bool


class ArtifactKind(StrEnum):
    """A kind, with its row. Lists for people keep this order."""

    _value_: str
    spec: KindSpec

    JOB_CONFIG = (
        "job_config",
        KindSpec(
            scope=Scope.JOB,
            title="configs",
            file_name="job_config.json",
            content_type="application/json",
            size=SizeClass.SMALL,
            packed_from=None,
            column="config_location",
            completes_run=False,
            from_client=True,
            archived=True,
        ),
    )
    JOB_INPUT = (
        "job_input",
        KindSpec(
            scope=Scope.JOB,
            title="inputs",
            file_name="job_input.zip",
            content_type="application/zip",
            size=SizeClass.LARGE,
            packed_from=None,
            column="input_location",
            completes_run=False,
            from_client=True,
            archived=True,
        ),
    )
    RUN_CONFIG = (
        "run_config",
        KindSpec(
            scope=Scope.RUN,
            title="configs",
            file_name="run_{run_id}_config.json",
            content_type="application/json",
            size=SizeClass.SMALL,
            packed_from=None,
            column="config_url",
            completes_run=False,
            from_client=True,
            archived=True,
        ),
    )
    # Results and logs are read long after a job is done, so they are not archived unasked.
    RUN_RESULTS = (
        "run_results",
        KindSpec(
            scope=Scope.RUN,
            title="results",
            file_name="run_{run_id}_results.zip",
            content_type="application/zip",
            size=SizeClass.LARGE,
            packed_from="OUT/run_{run_id}",
            column="results_url",
            completes_run=True,
            from_client=False,
            archived=False,
        ),
    )
    RUN_LOGS = (
        "run_logs",
        KindSpec(
            scope=Scope.RUN,
            title="logs",
            file_name="run_{run_id}_logs.log",
            content_type="text/plain; charset=utf-8",
            size=SizeClass.LARGE,
            packed_from=None,
            column=None,
            completes_run=False,
            from_client=False,
            archived=False,
        ),
    )

    def __new__(cls, value: str, *row: KindSpec) -> Self:
        # A variable number of rows, since a lookup such as ArtifactKind("run_logs") has none.
        kind = str.__new__(cls, value)
        kind._value_ = value
        (kind.spec,) = row
        return kind

    @property
    def belongs_to_run(self) -> bool:
        return self.spec.scope is Scope.RUN

    @property
    def upload_type(self) -> str:
        """Return the kind's name without its scope, as the platform's uploads have it."""
        return self.removeprefix(f"{self.spec.scope}_")

    @property
    def content_type(self) -> str:
        return self.spec.content_type

    @property
    def is_zip(self) -> bool:
        return self.content_type == "application/zip"

    @property
    def is_packed(self) -> bool:
        """Return whether an upload makes its zip from a directory."""
        return self.spec.packed_from is not None


JOB_KINDS = tuple(kind for kind in ArtifactKind if not kind.belongs_to_run)
RUN_KINDS = tuple(kind for kind in ArtifactKind if kind.belongs_to_run)
SMALL_KINDS = tuple(kind for kind in ArtifactKind if kind.spec.size is SizeClass.SMALL)
