"""What `artifacts jobs uploads download` does: fetch each artifact, and say what became of it."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from artifact_pipeline.domain.catalog.inventory import ListedArtifact
from artifact_pipeline.domain.each import outcome_of
from artifact_pipeline.domain.errors import (
    PipelineError,
    RunOfAnotherJobError,
    TargetExistsError,
    UnknownRunError,
)
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.reasons import ReasonCode
from artifact_pipeline.domain.transfers.download import Downloaded, FetchArtifact
from artifact_pipeline.worker.cli.output import err
from artifact_pipeline.worker.workspace import DownloadDirectory


class StoppedError(PipelineError):
    """The command was interrupted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one.

    Attributes:
        downloaded: None for a file that was kept, or one that could not be had.
        path: of the file, or of the directory that it was unpacked to.
        kept: what was in that directory already, and stayed.
    """

    artifact: Artifact
    downloaded: Downloaded | None = None
    path: Path | None = None
    kept: tuple[str, ...] = ()
    error: PipelineError | None = None

    @property
    def is_in_the_way(self) -> bool:
        """Return whether a file with other content was kept in its place."""
        return self.error is None and self.downloaded is None

    @property
    def is_of_unknown_run(self) -> bool:
        """Return whether the job has no such run, as when it was deleted in SQL alone."""
        return isinstance(self.error, (UnknownRunError, RunOfAnotherJobError))

    @property
    def word(self) -> str:
        if self.is_of_unknown_run:
            return ReasonCode.UNKNOWN_RUN
        if self.error is not None:
            return "failed"
        if self.downloaded is None:
            return "kept, though it differs"
        return "there already" if self.downloaded.was_there else "downloaded"

    def __str__(self) -> str:
        return f"{self.path} (kept; it is not {self.artifact})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloads:
    """Downloads the artifacts of one command.

    Attributes: `replace` lets other files in the directory give way.

    `encoding` decodes names in zips that do not name their encoding.
    """

    fetch: FetchArtifact
    directory: DownloadDirectory
    replace: bool
    extract: bool
    encoding: str | None = None

    def __call__(self, wanted: Sequence[ListedArtifact]) -> list[Outcome]:
        """Download all, in their order; a failure does not stop the others."""
        small = [each for each in wanted if not self._has_ranges(each)]
        outcomes: dict[Artifact, Outcome] = {}
        stopped = threading.Event()
        with _progress() as bar:
            task = bar.add_task("downloads", total=_total(wanted))
            one = self._one_with(stopped, lambda size: bar.update(task, advance=size))
            # Fetch small ones side by side, one request each; large ones in their ranges.
            for outcome in _side_by_side(one, small, self.fetch.fetch.threads, stopped):
                outcomes[outcome.artifact] = outcome
            for listed in filter(self._has_ranges, wanted):
                outcomes[listed.artifact] = one(listed)
            _complete(bar, task)
        return [outcomes[listed.artifact] for listed in wanted]

    def _has_ranges(self, listed: ListedArtifact) -> bool:
        size = 0 if listed.found is None else listed.found.object.size
        return size > self.fetch.fetch.range_size

    def _one_with(
        self, stopped: threading.Event, progress: Callable[[int], None]
    ) -> Callable[[ListedArtifact], Outcome]:
        def checkpoint() -> None:
            if stopped.is_set():
                raise StoppedError

        def one(listed: ListedArtifact) -> Outcome:
            outcome = outcome_of(lambda: self._one(listed.artifact, checkpoint, progress))
            if isinstance(outcome, PipelineError):
                return Outcome(artifact=listed.artifact, error=outcome)
            return outcome

        return one

    def _one(
        self, artifact: Artifact, checkpoint: Callable[[], None], progress: Callable[[int], None]
    ) -> Outcome:
        target = self.directory.target(artifact)
        path = target.root / target.place
        try:
            downloaded = self.fetch(
                artifact,
                target,
                replace=self.replace,
                checkpoint=checkpoint,
                progress=progress,
            )
        except TargetExistsError:
            return Outcome(artifact=artifact, path=path)
        outcome = Outcome(artifact=artifact, downloaded=downloaded, path=path)
        is_to_unpack = self.extract and artifact.kind.is_zip
        return self._unpacked(outcome) if is_to_unpack else outcome

    def _unpacked(self, outcome: Outcome) -> Outcome:
        extraction = self.directory.extraction(outcome.artifact, self.encoding)
        extracted = outcome_of(lambda: extraction(replace=self.replace))
        if isinstance(extracted, PipelineError):
            # The zip itself has been downloaded.
            return replace(outcome, error=extracted)
        return replace(outcome, path=extraction.root / extraction.into, kept=extracted.kept)


def any_failed(outcomes: Sequence[Outcome]) -> bool:
    """Return whether something could not be had; runs that SQL does not have are left out.

    They count where nothing else was wanted: then there is nothing that was had either.
    """
    counted = [outcome for outcome in outcomes if not outcome.is_of_unknown_run] or outcomes
    return any(outcome.error for outcome in counted)


def conflict(outcomes: Sequence[Outcome]) -> str:
    """Return a line about the files that were kept in the way of others, or an empty one."""
    kept = ", ".join(str(outcome) for outcome in outcomes if outcome.is_in_the_way)
    return kept and f"not downloaded: {kept}; give another --output-dir, or --force to replace"


def _side_by_side(
    one: Callable[[ListedArtifact], Outcome],
    wanted: Sequence[ListedArtifact],
    threads: int,
    stopped: threading.Event,
) -> Iterator[Outcome]:
    with ThreadPoolExecutor(threads) as pool:
        try:
            for future in as_completed([pool.submit(one, listed) for listed in wanted]):
                yield future.result()
        except BaseException:
            # After Ctrl-C the fetched part stays, and the next run continues from there.
            stopped.set()
            pool.shutdown(cancel_futures=True)
            raise


def _total(wanted: Sequence[ListedArtifact]) -> int:
    return sum(listed.found.object.size for listed in wanted if listed.found)


def _complete(bar: Progress, task: TaskID) -> None:
    # A file that existed, or failed, has not advanced the bar.
    bar.update(task, completed=bar.tasks[0].total)


def _progress() -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=err, disable=not err.is_terminal)
