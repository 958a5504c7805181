"""The former name of `artifact_pipeline.worker`."""

from artifact_pipeline.former_names import answer_for

answer_for(__name__)
