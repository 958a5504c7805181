import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifact_pipeline.domain.model.locations import UploadLocation

PLAIN = "https://bucket.s3.eu-west-1.amazonaws.com/jobs/12/run_4_results.zip"


@pytest.mark.parametrize(
    ("url", "sanitized"),
    [
        (PLAIN, PLAIN),
        (f"{PLAIN}?X-Amz-Signature=abc&X-Amz-Credential=AKIA%2F20251023", PLAIN),
        (f"{PLAIN}?versionId=7#part", PLAIN),
        ("https://key:secret@s3.local:9000/b/k", "https://s3.local:9000/b/k"),
        ("https://user@p@s3.local/b/k", "https://s3.local/b/k"),
        ("http://[::1]:9000/b/k?sig=1", "http://[::1]:9000/b/k"),
        ("s3://bucket/jobs/12/job_config.json", "s3://bucket/jobs/12/job_config.json"),
        ("https://s3.local/b/a%3Fb%20c", "https://s3.local/b/a%3Fb%20c"),
    ],
)
def test_the_form_that_is_stored_has_no_query_fragment_or_user(url: str, sanitized: str) -> None:
    assert UploadLocation(url).sanitized == sanitized


@given(
    user=st.from_regex(r"[a-zA-Z0-9:]{1,20}@|", fullmatch=True),
    rest=st.from_regex(r"(\?[a-zA-Z0-9=&%/:@]{0,40})?(#[a-zA-Z0-9?/@]{0,20})?", fullmatch=True),
)
def test_whatever_is_added_to_a_url_is_taken_off_again(user: str, rest: str) -> None:
    signed = PLAIN.replace("https://", f"https://{user}") + rest
    assert UploadLocation(signed).sanitized == PLAIN


def test_what_is_logged_by_mistake_has_no_signature() -> None:
    location = UploadLocation(f"{PLAIN}?X-Amz-Signature=abc", {"x-amz-server-side-encryption": "x"})
    assert f"{location} {location!r}" == f"UploadLocation('{PLAIN}') UploadLocation('{PLAIN}')"


def test_locations_are_hashable_with_their_headers() -> None:
    signed = UploadLocation(PLAIN, {"x-amz-server-side-encryption": "AES256"})
    assert {UploadLocation(PLAIN), UploadLocation(PLAIN), signed} == {UploadLocation(PLAIN), signed}
    assert signed != UploadLocation(PLAIN)


class TestThePlatformsNames:
    def test_of_the_form_without_a_signature(self) -> None:
        location = UploadLocation(f"{PLAIN}?X-Amz-Signature=abc")
        assert location.get_sanitized_url() == location.sanitized == PLAIN
        assert location.to_sanitized_dict() == {"url": PLAIN}

    def test_a_client_is_given_the_signed_url(self) -> None:
        signed = f"{PLAIN}?X-Amz-Signature=abc"
        assert UploadLocation(signed).to_dict() == {"url": signed}

    @pytest.mark.parametrize(
        ("url", "name"),
        [
            (f"{PLAIN}?X-Amz-Signature=a/b.c", "run_4_results.zip"),
            ("s3://bucket/jobs/12/job_config.json", "job_config.json"),
            ("https://bucket.s3.invalid/jobs/12/", None),
            ("https://bucket.s3.invalid", None),
        ],
    )
    def test_of_the_files_name(self, url: str, name: str | None) -> None:
        assert UploadLocation(url).extract_filename() == name
