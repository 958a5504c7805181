"""Single files of stored zips: what `uploads list --members` and `download --member` do."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from artifact_pipeline.domain.each import for_each, outcome_of, up_to_failure
from artifact_pipeline.domain.errors import PipelineError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import JOB_KINDS, RUN_KINDS
from artifact_pipeline.worker.cli.output import Size, why
from artifact_pipeline.worker.workspace import DownloadDirectory
from artifact_pipeline.worker.workspace.archive_rules import Entry
from artifact_pipeline.worker.workspace.entry_names import printable
from artifact_pipeline.worker.workspace.members import OpenMemberDirectory, Present, RemoteZip
from artifact_pipeline.worker.workspace.stored_zips import StoredZips

ZIPS = tuple(kind for kind in (*RUN_KINDS, *JOB_KINDS) if kind.is_zip)

LISTED_COLUMNS = ("member", "size", "run_id", "kind", "error", "compressed_size", "crc32")
COLUMNS = ("member", "outcome", "run_id", "error", "size", "path")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one member, or of a zip that could not be read."""

    artifact: Artifact
    member: str | None = None
    word: str = "failed"
    size: int | None = None
    path: Path | None = None
    error: PipelineError | None = None

    @property
    def is_in_the_way(self) -> bool:
        """Return whether a file with other content was kept in its place."""
        return self.error is None and self.size is None

    def __str__(self) -> str:
        return f"{printable(str(self.path))} (kept; it is not in {self.artifact})"


@dataclass(frozen=True, kw_only=True)
class MemberDownloads:
    """Downloads single files of zips.

    Attributes: `unmatched` are the patterns that no file has matched so far.
    """

    zips: StoredZips
    directory: DownloadDirectory
    patterns: Sequence[str]
    replace: bool
    unmatched: set[str] = field(default_factory=set)

    def __call__(self, artifacts: Iterable[Artifact]) -> list[Outcome]:
        """Fetch the members; one that fails does not stop the others."""
        self.unmatched.update(self.patterns)
        return [outcome for artifact in artifacts for outcome in self._of_one(artifact)]

    def _of_one(self, artifact: Artifact) -> list[Outcome]:
        outcomes, failure = up_to_failure(self._each_of(artifact))
        if failure is not None:
            outcomes.append(Outcome(artifact=artifact, error=failure))
        return outcomes

    def _each_of(self, artifact: Artifact) -> Iterator[Outcome]:
        with self.zips.opened(artifact) as stored:
            if wanted := self._wanted(stored.entries):
                yield from self._fetched(artifact, stored, wanted)

    def _wanted(self, entries: Sequence[Entry]) -> list[Entry]:
        wanted = []
        for entry in entries:
            matching = [each for each in self.patterns if _matches(entry, each)]
            self.unmatched.difference_update(matching)
            if matching:
                wanted.append(entry)
        return sorted(wanted, key=lambda entry: entry.info.header_offset)

    def _fetched(
        self, artifact: Artifact, stored: RemoteZip, wanted: Sequence[Entry]
    ) -> Iterator[Outcome]:
        target = self.directory.members(artifact)
        with target.opened() as opened:
            # Known before anything is fetched, so that neighbours come by one request.
            looks = for_each(opened.present, wanted)
            present = {entry.number: look for entry, look in looks}
            needed = [each for each in wanted if self._is_needed(present[each.number])]
            stored.expect(needed)
            for entry in wanted:
                outcome = Outcome(artifact=artifact, member=entry.name, path=target.path(entry))
                yield self._one(opened, stored, entry, present[entry.number], outcome)

    def _is_needed(self, present: Present | PipelineError) -> bool:
        return present is Present.NOTHING or (self.replace and present is Present.OTHER)

    def _one(
        self,
        opened: OpenMemberDirectory,
        stored: RemoteZip,
        entry: Entry,
        present: Present | PipelineError,
        outcome: Outcome,
    ) -> Outcome:
        if isinstance(present, PipelineError):
            return replace(outcome, error=present)
        size = entry.info.file_size
        if present is Present.SAME:
            return replace(outcome, word="there already", size=size)
        if not self._is_needed(present):
            return replace(outcome, word="kept, though it differs")
        taken = outcome_of(
            lambda: opened.take(stored, entry, replace=present is Present.OTHER),
        )
        if isinstance(taken, PipelineError):
            return replace(outcome, error=taken)
        return replace(outcome, word="downloaded", size=size)


def conflict(outcomes: Sequence[Outcome]) -> str:
    """Return a line about the files that were kept in the way of others, or an empty one."""
    kept = ", ".join(str(outcome) for outcome in outcomes if outcome.is_in_the_way)
    return kept and f"not downloaded: {kept}; give another --output-dir, or --force to replace"


def listed_rows(zips: StoredZips, artifact: Artifact, *, as_json: bool) -> list[dict[str, Any]]:
    """Return a row for each file and directory in an artifact's zip."""
    with zips.opened(artifact) as stored:
        return [
            {
                "kind": artifact.kind,
                "run_id": artifact.run_id,
                "member": entry.name if as_json else printable(entry.name),
                "size": Size(entry.info.file_size),
                "compressed_size": Size(entry.info.compress_size),
                "crc32": f"{entry.info.CRC:08x}",
                "error": None,
            }
            for entry in stored.entries
        ]


def unreadable_row(artifact: Artifact, error: PipelineError) -> dict[str, Any]:
    """Return the row of a zip whose files cannot be listed."""
    return {
        "kind": artifact.kind,
        "run_id": artifact.run_id,
        **dict.fromkeys(("member", "size", "compressed_size", "crc32")),
        "error": why(error),
    }


def outcome_row(outcome: Outcome, *, as_json: bool) -> dict[str, Any]:
    """Return what the command shows of a member."""
    name = outcome.member
    path = None if outcome.path is None else str(outcome.path)
    return {
        "kind": outcome.artifact.kind,
        "run_id": outcome.artifact.run_id,
        "member": name if as_json or name is None else printable(name),
        "outcome": outcome.word,
        "size": None if outcome.size is None else Size(outcome.size),
        "path": path if as_json or path is None else printable(path),
        "error": why(outcome.error),
    }


def _matches(entry: Entry, pattern: str) -> bool:
    return not entry.is_directory and (entry.name == pattern or fnmatchcase(entry.name, pattern))
