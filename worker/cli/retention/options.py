"""Options of `artifacts retention`, read into a rule."""

from datetime import timedelta
from typing import Annotated, Any

import typer

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.retention import MAX_LATEST, RetentionRule
from artifact_pipeline.worker.cli.quarantine import parse_age
from artifact_pipeline.worker.s3.tiers import ARCHIVES, DEFAULT_ARCHIVE

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The rule's name.")]
OptionalNameArgument = Annotated[
    str | None, typer.Argument(metavar="NAME", help="Only what this rule is about.")
]
WhyOption = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept and shown.")
]
KindsOption = Annotated[
    list[ArtifactKind] | None,
    typer.Option("--kind", metavar="KIND", help="Of these artifacts; repeatable."),
]
TagsOption = Annotated[
    list[str] | None,
    typer.Option("--tag", help="The job has it; name=value where tags have names; repeatable."),
]
ArchiveAfterOption = Annotated[
    timedelta | None,
    typer.Option(
        "--archive-after", parser=parse_age, metavar="AGE", help="Archive at this age, such as 90d."
    ),
]
StorageClassOption = Annotated[
    str | None,
    typer.Option(
        "--storage-class",
        help=f"Archive to it: one of {', '.join(ARCHIVES)}. By default {DEFAULT_ARCHIVE}.",
    ),
]
DeleteAfterOption = Annotated[
    timedelta | None,
    typer.Option(
        "--delete-after", parser=parse_age, metavar="AGE", help="Delete at this age, such as 400d."
    ),
]
KeepLatestOption = Annotated[
    int | None,
    typer.Option(
        "--keep-latest",
        min=1,
        max=MAX_LATEST,
        help="Of each job and kind, keep so many that were recorded last.",
    ),
]
KeepForeverOption = Annotated[
    bool,
    typer.Option("--keep-forever", help="Keep them, whatever other rules say."),
]


def rule_of(
    *,
    archive_after: timedelta | None,
    storage_class: str | None,
    delete_after: timedelta | None,
    keep_forever: bool,
    **selectors: Any,  # noqa: ANN401 - fields of the rule
) -> RetentionRule:
    """Return the rule. Raises: typer.BadParameter, with what is wrong."""
    acts = archive_after is not None or delete_after is not None
    if acts == keep_forever:
        wrong = "excludes the other two" if keep_forever else "none of them was given"
        raise typer.BadParameter(
            f"--archive-after, --delete-after or --keep-forever: {wrong}; give what is to be done"
        )
    if storage_class is not None and archive_after is None:
        raise typer.BadParameter(
            f"--storage-class {storage_class} belongs to --archive-after: give both"
        )
    if storage_class not in {None, *ARCHIVES}:
        raise typer.BadParameter(
            f"--storage-class {storage_class}: use one of {', '.join(ARCHIVES)}"
        )
    tier_name = None if archive_after is None else storage_class or DEFAULT_ARCHIVE
    try:
        return RetentionRule(
            archive_after=archive_after, tier_name=tier_name, delete_after=delete_after, **selectors
        )
    except InvalidRequestError as error:
        raise typer.BadParameter(str(error)) from None
