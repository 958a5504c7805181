"""`artifacts store`: the directory that artifacts are stored in, where that is no bucket."""

from typing import TYPE_CHECKING

from artifact_pipeline.domain.errors import ConfigurationError
from artifact_pipeline.worker.cli.lazy import group_app
from artifact_pipeline.worker.cli.output import say

if TYPE_CHECKING:
    from artifact_pipeline.worker.file_store.root import StoreRoot

app = group_app("The directory that artifacts are stored in, instead of a bucket.")


@app.command("init")
def init() -> None:
    """Make the directory of ARTIFACTS_STORE a store, so that workers write nowhere else.

    Run it once, where the directory is mounted and can be written. Run again, it changes nothing.
    """
    root = _root()
    try:
        is_new = root.initialize()
    except OSError as error:
        raise ConfigurationError(
            f"ARTIFACTS_STORE={root.url}: {error.strerror}. It must be a directory that this user"
            " may write to; mount it, or make it"
        ) from None
    say(f"{root.path} is a store" if is_new else f"{root.path} was a store already")


def _root() -> "StoreRoot":
    from artifact_pipeline.worker.settings import BucketSettings, load  # noqa: PLC0415 - for the help

    settings = load(BucketSettings)
    if not settings.store:
        raise ConfigurationError("ARTIFACTS_STORE: not set. Example: file:///srv/artifacts")
    return settings.stores[0]
