"""The domain has no word that belongs to one store: S3's are in `worker/s3` alone.

"Bucket" stays: other stores have buckets too, and a store of files has directories as buckets.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

DOMAIN = Path(__file__).parents[2] / "domain"
WORDS = re.compile(r"s3|etag|glacier|multipart|boto|storage_?class", re.IGNORECASE)

FILES = {
    "model/addresses.py": "the URLs of objects in S3",
    "model/endpoints.py": "the endpoints in such URLs",
    "errors/former.py": "names that code of the platform may import",
}
NAMES = {
    "JobS3Prefix": "a public name, which the platform has too",
    "s3_prefix": "an argument by its name in the platform",
    "S3ResultsRepository": "the platform's class, in a message to its callers",
    "refused_by_s3": "a reason code in SQL",
    "s3_breaker_open": "a reason code in SQL, and in JSON",
    "s3_conflict": "a reason code in SQL",
    "s3_unavailable": "a reason code in SQL",
    "s3.invalid": "the host of the fakes, in URLs as the platform writes them",
    "S311": "a rule of ruff",
}
NAMES_IN_FILES = {
    "model/artifacts.py": dict.fromkeys(
        ("etag", "storage_class", "s3_checksum"),
        "a former name of an attribute, which code of platforms may read",
    ),
    "model/objects.py": {"s3": "the scheme of an address in a bucket, beside `file`"},
    "platform/archiving.py": {"storage_class": "an argument of public functions"},
    "platform/job_controller.py": {"storage_class": "an argument of a public method"},
    "platform/repository_shapes.py": {"storage_class": "an argument by the name in the port"},
    "ports/platform.py": {"storage_class": "an argument of the platform's repositories"},
}


def lines() -> Iterator[tuple[str, int, str]]:
    for path in sorted(DOMAIN.rglob("*.py")):
        name = path.relative_to(DOMAIN).as_posix()
        for number, line in enumerate(path.read_text().splitlines(), 1):
            yield name, number, line


def names_in(file: str) -> list[str]:
    return [*NAMES, *NAMES_IN_FILES.get(file, ())]


def without_names(file: str, line: str) -> str:
    return re.sub(rf"\b(?:{'|'.join(map(re.escape, names_in(file)))})\b", "", line)


def test_the_domain_has_no_word_of_one_store() -> None:
    found = [
        f"domain/{file}:{number}: {line.strip()}"
        for file, number, line in lines()
        if file not in FILES and WORDS.search(without_names(file, line))
    ]
    assert found == []


@pytest.mark.parametrize("file", [*FILES, *NAMES_IN_FILES])
def test_a_file_that_may_have_them_has_some(file: str) -> None:
    assert any(WORDS.search(line) for name, _, line in lines() if name == file)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_may_have_them_is_used(name: str) -> None:
    assert any(name in line for file, _, line in lines() if file not in FILES)
