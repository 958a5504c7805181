"""The URLs of objects, as they are in the wild."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.addresses import parse_address
from artifact_pipeline.domain.model.endpoints import Endpoint
from artifact_pipeline.domain.model.objects import ObjectAddress

KEY = "jobs/12/2025/10/23/211500/run_4_results.zip"
SIGNED = "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=secret&X-Amz-Credential=AKIA%2F20251023"
FORMS = {
    "s3": "s3://{bucket}/{key}",
    "virtual-hosted": "https://{bucket}.s3.amazonaws.com/{key}",
    "virtual-hosted, regional": "https://{bucket}.s3.eu-west-1.amazonaws.com/{key}",
    "virtual-hosted, regional, as before 2019": "https://{bucket}.s3-eu-west-1.amazonaws.com/{key}",
    "virtual-hosted, GovCloud": "https://{bucket}.s3.us-gov-west-1.amazonaws.com/{key}",
    "virtual-hosted, with a port": "https://{bucket}.s3.amazonaws.com:443/{key}",
    "path-style": "https://s3.amazonaws.com/{bucket}/{key}",
    "path-style, regional": "https://s3.eu-west-1.amazonaws.com/{bucket}/{key}",
    "path-style, regional, as before 2019": "https://s3-eu-west-1.amazonaws.com/{bucket}/{key}",
    "us-east-1, as before 2019": "https://s3-external-1.amazonaws.com/{bucket}/{key}",
    "dualstack": "https://{bucket}.s3.dualstack.us-west-2.amazonaws.com/{key}",
    "dualstack, path-style": "https://s3.dualstack.us-west-2.amazonaws.com/{bucket}/{key}",
    "accelerate": "https://{bucket}.s3-accelerate.amazonaws.com/{key}",
    "accelerate, dualstack": "https://{bucket}.s3-accelerate.dualstack.amazonaws.com/{key}",
    "FIPS": "https://{bucket}.s3-fips.us-east-1.amazonaws.com/{key}",
    "FIPS, dualstack": "https://{bucket}.s3-fips.dualstack.us-east-1.amazonaws.com/{key}",
    "China": "https://{bucket}.s3.cn-north-1.amazonaws.com.cn/{key}",
    "China, path-style": "https://s3.cn-northwest-1.amazonaws.com.cn/{bucket}/{key}",
    "without TLS": "http://{bucket}.s3.amazonaws.com/{key}",
    "capitals": "HTTPS://{bucket}.S3.EU-West-1.AmazonAWS.com/{key}",
    "another S3": "http://127.0.0.1:9000/{bucket}/{key}",
}
every_form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())

buckets = st.from_regex(r"[a-z0-9][a-z0-9-]{1,40}[a-z0-9]", fullmatch=True)
# What `_QUERY` takes for one is none of the keys that a query follows.
keys = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(
    lambda key: "?" not in key
)


def parse(url: str) -> ObjectAddress:
    return parse_address(url, [Endpoint.of("http://127.0.0.1:9000")])


@every_form
@pytest.mark.parametrize("query", ["", "?versionId=abc", SIGNED])
def test_every_form_with_and_without_a_query(form: str, query: str) -> None:
    url = form.format(bucket="artifacts", key=KEY) + query
    assert parse(url) == ObjectAddress("artifacts", KEY)


@every_form
def test_a_bucket_with_dots(form: str) -> None:
    address = parse(form.format(bucket="artifacts.example.com", key=KEY))
    assert address == ObjectAddress("artifacts.example.com", KEY)


@given(bucket=buckets, key=keys)
def test_every_key_in_every_form(bucket: str, key: str) -> None:
    for form in FORMS.values():
        encoded = key if form.startswith("s3:") else quote(key)
        assert parse(form.format(bucket=bucket, key=encoded)) == ObjectAddress(bucket, key)


@pytest.mark.parametrize(
    ("encoded", "key"),
    [
        ("a%20b%2Bc%25", "a b+c%"),
        ("a+b", "a+b"),  # only a form's query takes a plus for a space
        ("%E2%82%AC/%2F", "€//"),
        ("/a//b/", "/a//b/"),
    ],
)
def test_encoded_keys(encoded: str, key: str) -> None:
    url = f"https://artifacts.s3.amazonaws.com/{encoded}"
    assert parse(url) == ObjectAddress("artifacts", key)


def test_a_question_mark_in_a_plain_key() -> None:
    assert parse("s3://artifacts/what?/is") == ObjectAddress("artifacts", "what?/is")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "job_config.json",
        "/mnt/share/job_12/job_config.json",
        "file:///etc/passwd",
        "ftp://artifacts.s3.amazonaws.com/key",
        "https://example.com/artifacts/key",
        "https://artifacts.s3.amazonaws.com.example.com/key",
        "https://artifacts.s3-website-us-east-1.amazonaws.com/key",
        "https://127.0.0.1:9001/artifacts/key",
        "https://s3.amazonaws.com/",
        "https://s3.amazonaws.com/artifacts",
        "https://artifacts.s3.amazonaws.com/",
        "s3://artifacts",
        "s3:///key",
        "s3://a/key",
        "https://[::1/key",
    ],
)
def test_what_names_no_object_of_s3_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequestError, match="not the URL of an object in S3"):
        parse(url)


def test_the_refusal_does_not_repeat_a_signature_or_a_password() -> None:
    with pytest.raises(InvalidRequestError) as refusal:
        parse("https://user:password@example.com/key" + SIGNED)
    assert str(refusal.value) == "not the URL of an object in S3: 'example.com/key'"
