"""Nothing of a URL, path, key or token is kept; ids and plain words are."""

import time
from string import ascii_letters, digits

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifact_pipeline.domain.redaction import hide_credentials, redact

MARK = "Zq7"
"""No plain word has it, so what still has it has not been redacted."""

words = st.lists(
    st.sampled_from(["the", "job", "run", "was", "not", "found", "denied", "after", "timeout"])
    | st.integers(0, 2**31).map(str),
    max_size=8,
).map(" ".join)
opaque = st.text(f"{ascii_letters}{digits}+/=_.%-", max_size=40).map(lambda s: MARK + s)
path_names = st.text(
    st.characters(categories=["L", "N", "P", "S"], exclude_characters="'\""), max_size=12
).map(lambda s: MARK + s.replace("/", ""))
paths = st.lists(path_names, min_size=1, max_size=5).map(lambda names: "/" + "/".join(names))
secret_names = st.sampled_from(
    [
        "X-Amz-Signature",
        "X-Amz-Credential",
        "x-amz-security-token",
        "AWSAccessKeyId",
        "AWS_SESSION_TOKEN",
        "aws_secret_access_key",
        "SecretAccessKey",
        "access_key",
        "api-key",
        "Signature",
        "token",
        "session_token",
        "secret",
        "password",
        "PGPASSWORD",
        "passwd",
        "Authorization",
    ]
)


@given(before=words, after=words, host=path_names, query=opaque)
def test_no_url_survives(before: str, after: str, host: str, query: str) -> None:
    url = f"https://{host}.s3.amazonaws.com/{MARK}/key?X-Amz-Signature={query}"
    redacted = redact(f"{before} {url} {after}")
    assert MARK not in redacted
    assert "<url>" in redacted


@given(
    before=words,
    name=secret_names,
    separator=st.sampled_from(["=", ": ", " = ", '": "', "': '"]),
    secret=opaque,
    after=words,
)
def test_no_value_that_is_named_as_a_secret_survives(
    before: str, name: str, separator: str, secret: str, after: str
) -> None:
    quote = separator[-1] if separator[-1] in "'\"" else ""
    redacted = redact(f"{before} {quote}{name}{separator}{secret}{quote} {after}")
    assert MARK not in redacted
    assert "<redacted>" in redacted


elements = st.sampled_from(
    [
        "<{name}>{secret}</{name}>",
        "<aws:{name}>{secret}</aws:{name}>",
        '<{name} type="string">{secret}</{name}>',
        "<{name}> {secret} {secret} </{name}>",
        "<{name}>\n{secret}\n</{name}>",
        "<{name}><![CDATA[{secret}]]></{name}>",
        "<{name}><![CDATA[<{secret}>]]></{name}>",
        "&lt;{name}&gt;{secret}&lt;/{name}&gt;",
        "<Error><{name}>{secret}</{name}><Code>x</Code></Error>",
        "<{name}>{secret}",
    ]
)


@given(before=words, name=secret_names, element=elements, secret=opaque, after=words)
def test_no_element_that_is_named_as_a_secret_survives(
    before: str, name: str, element: str, secret: str, after: str
) -> None:
    text = element.format(name=name, secret=secret)
    redacted = redact(f"{before} {text} {after}")
    assert MARK not in redacted
    assert "<redacted>" in redacted


@given(
    before=words, opening=st.sampled_from(["", "(", "=", "~", "..", "/"]), path=paths, after=words
)
def test_no_path_survives(before: str, opening: str, path: str, after: str) -> None:
    assert MARK not in redact(f"{before} {opening}{path} {after}")


@given(names=st.lists(words.map(lambda s: f"{MARK} {s}"), min_size=1, max_size=4))
def test_no_quoted_path_with_spaces_survives(names: list[str]) -> None:
    path = "/" + "/".join(names)
    assert MARK not in redact(f"[Errno 2] No such file or directory: {path!r}")


@given(text=words)
def test_ids_and_plain_words_survive(text: str) -> None:
    assert redact(text) == text


@given(text=st.text(st.characters(), max_size=500))
def test_whatever_comes_out_is_one_short_line_that_every_database_takes(text: str) -> None:
    line = redact(text)
    assert len(line) <= 300
    assert line.isprintable()
    assert line.encode().decode() == line


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("key AKIAIOSFODNN7EXAMPLE is unknown", "key <redacted> is unknown"),
        ("bad key wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "bad key <redacted>"),
        ("Authorization: Bearer abc.def", "Authorization: <redacted>"),
        ("sent bearer abc.def", "sent <redacted>"),
        ("jwt eyJhbGciOi.eyJzdWIi.c2ln refused", "jwt <redacted> refused"),
        ('{"token": "abc def"}', '{"token": <redacted>}'),
        ("Credential=ABC/20251023/eu-west-1/s3/aws4_request", "Credential=<redacted>"),
        ("AWSAccessKeyId=x&Signature=abc%3D&Expires=1", "AWSAccessKeyId=<redacted>"),
        ("b.s3.amazonaws.com/k?X-Amz-Signature=abc", "<url>"),
        (
            "<SecretAccessKey>short</SecretAccessKey><AWSAccessKeyId>me</AWSAccessKeyId> is off",
            "<SecretAccessKey><redacted><AWSAccessKeyId><redacted> is off",
        ),
        ("postgresql://user:secret@db/platform is away", "<url> is away"),
        ("cannot read /work/job_12/x.zip: denied", "cannot read <path>: denied"),
        ("open '/work/it is/here, or not.csv'", "open <path>"),
        ("//share/x and ../x and ~/.aws/credentials", "<path> and <path> and <path>"),
        ("/work/a,b:c/d", "<path>"),
        ("'RUN_DIR=/srv/private/key.pem' is off", "'RUN_DIR=<path>' is off"),
        ("'RUN_DIR: /srv/private/key.pem' is off", "'RUN_DIR: <path>' is off"),
        ("entry 2: 'RUN1/a /b.csv' is broken", "entry 2: 'RUN1/a /b.csv' is broken"),
        ("two\nlines\tand  spaces", "two lines and spaces"),
        ("undecodable \udcff and NUL \0", "undecodable \ufffd and NUL \ufffd"),
    ],
)
def test_what_is_left_of_a_text(text: str, kept: str) -> None:
    assert redact(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "run 4 of job 12: 503 after 12 MiB/s and/or a text/plain; charset=utf-8",
        "The AWS region is eu-west-1, 3 draws: 4",
        "password authentication failed for user",
        "task d2f0c1f4-1111-4222-8333-abcdefabcdef",
        "sha256 " + "ab12" * 16,
        "why? x=1",
        "<Code>SignatureDoesNotMatch<Message>1 < 2 and token > 1",
        "1 / 2",
    ],
)
def test_what_is_no_secret_survives(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "a.",
        "a-",
        "/",
        "'/",
        "?=",
        "token",
        "eyJa.",
        "A/",
        "'/a ",
        "<token",
        "<token>",
        "<token ",
        "<token>&lt;",
        "&lt;token ",
    ],
)
def test_a_long_text_is_redacted_in_little_time(piece: str) -> None:
    # An S3 error may carry a whole page. Quadratic time would take ten seconds of this process, and
    # the load of the machine does not count.
    text = piece * max(20_000, 50_000 // len(piece))
    started = time.process_time()
    redact(text)
    assert time.process_time() - started < 3


def test_credentials_are_hidden_and_paths_are_not() -> None:
    line = "AWS_CA_BUNDLE=/etc/ca.pem: redis://:hunter2@host:6379/0\nis AKIAIOSFODNN7EXAMPLE"
    shown = "AWS_CA_BUNDLE=/etc/ca.pem: redis://host:6379/0 is <redacted>"
    assert hide_credentials(line) == shown
