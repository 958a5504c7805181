"""What the tests of `artifacts doctor` share."""

from collections.abc import Mapping
from typing import Any

from tests.cli.commands import Answer
from tests.cli.shelf import Shelf

ABORT = {
    "ID": "abandoned-uploads",
    "Status": "Enabled",
    "Filter": {"Prefix": "jobs/"},
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 14},
}


def set_lifecycle(shelf: Shelf, rule: Mapping[str, Any]) -> None:
    configuration: Any = {"Rules": [rule]}
    shelf.client.put_bucket_lifecycle_configuration(
        Bucket=shelf.bucket, LifecycleConfiguration=configuration
    )


def found(answer: Answer) -> dict[str, str]:
    """What is not as it should be, with the command that fixes it."""
    for finding in answer.json:
        assert (finding["severity"] == "ok") == (finding["why"] == "") == (finding["fix"] == "")
        assert finding["mend"] == finding["fix"]
    return {
        f"{finding['severity']} {finding['check']}": finding["fix"]
        for finding in answer.json
        if finding["severity"] != "ok"
    }
