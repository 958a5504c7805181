"""Run as each of the former packages `domain`, `tasks` and `worker`: see `former_names`."""

from artifact_pipeline.former_names import answer_for

answer_for(__name__)
