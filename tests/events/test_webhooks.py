"""Signatures, as the specification says: https://www.standardwebhooks.com."""

import base64
import hashlib
import hmac
import json
import secrets as random_secrets
from datetime import UTC, datetime, timedelta

import pytest

from artifact_pipeline import WebhookError, verify_webhook
from artifact_pipeline.domain.model.webhooks import webhook_headers
from tests.events.steps import EVENT, SECRET

NOW = 1_700_000_000.0
OTHER = "whsec_" + base64.b64encode(b"o" * 24).decode()


def signed(event_id: str, timestamp: str, payload: str, secret: str) -> str:
    """Sign as the text of the specification says, without our code.

    "The content to sign is composed by concatenating the id, timestamp and payload, separated by
    the full-stop character (.)", by HMAC-SHA256 with the base64 portion of the secret, encoded in
    base64, prefixed with the version "v1,".
    """
    key = base64.b64decode(secret.split("_")[1])
    to_sign = f"{event_id}.{timestamp}.{payload}"
    digest = hmac.new(key, to_sign.encode("utf-8"), hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode("utf-8")


def headers_of(body: bytes, *secrets: str) -> dict[str, str]:
    return webhook_headers(EVENT.id, body, secrets or [SECRET], datetime.fromtimestamp(NOW, UTC))


def test_the_example_of_the_specification() -> None:
    # Given the values that the reference implementations have in their tests
    made = webhook_headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        b'{"test": 2432232314}',
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        datetime.fromtimestamp(1614265330, UTC),
    )
    # Then
    assert made["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_an_independent_receiver_accepts_it() -> None:
    body = EVENT.body()
    headers = headers_of(body)
    assert headers == {
        "webhook-id": EVENT.id,
        "webhook-timestamp": "1700000000",
        "webhook-signature": signed(EVENT.id, "1700000000", body.decode(), SECRET),
    }


def test_an_event_comes_through_as_it_was() -> None:
    body = EVENT.body()
    headers = {name.title(): value for name, value in headers_of(body).items()}
    assert verify_webhook(headers, body, SECRET, now=NOW) == EVENT
    assert verify_webhook(headers, body.decode(), [OTHER, SECRET], now=NOW + 299) == EVENT


def test_both_secrets_are_good_while_one_replaces_the_other() -> None:
    body = EVENT.body()
    headers = headers_of(body, OTHER, SECRET)
    assert verify_webhook(headers, body, SECRET, now=NOW) == EVENT
    assert verify_webhook(headers, body, OTHER, now=NOW) == EVENT


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"webhook-id": "another"}, "no signature fits"),
        ({"webhook-timestamp": "1700000001"}, "no signature fits"),
        ({"webhook-timestamp": "soon"}, "not a number"),
        ({"webhook-timestamp": "1699999699"}, "too far"),
        ({"webhook-timestamp": "1700000301"}, "too far"),
        ({"webhook-signature": "v1,"}, "no signature fits"),
        ({"webhook-signature": "v1a,g0hM9SsE+OTPJTGt"}, "no signature fits"),
        ({"webhook-signature": "v1,ü"}, "no signature fits"),
        ({"webhook-signature": ""}, "webhook-signature: the header is missing"),
        ({"webhook-id": ""}, "webhook-id: the header is missing"),
    ],
)
def test_what_is_not_from_the_pipeline_is_refused(changed: dict[str, str], reason: str) -> None:
    body = EVENT.body()
    with pytest.raises(WebhookError, match=reason):
        verify_webhook({**headers_of(body), **changed}, body, SECRET, now=NOW)


def test_another_body_or_secret_is_refused() -> None:
    body = EVENT.body()
    with pytest.raises(WebhookError, match="no signature fits"):
        verify_webhook(headers_of(body), body.replace(b"12", b"13"), SECRET, now=NOW)
    with pytest.raises(WebhookError, match="no signature fits"):
        verify_webhook(headers_of(body), body, OTHER, now=NOW)


def test_a_signed_body_that_is_no_event_is_refused() -> None:
    with pytest.raises(WebhookError, match="the body is no event"):
        verify_webhook(headers_of(b"{}"), b"{}", SECRET, now=NOW)


def test_the_tolerance_can_be_chosen() -> None:
    body = EVENT.body()
    hour = timedelta(hours=1)
    assert verify_webhook(headers_of(body), body, SECRET, tolerance=hour, now=NOW + 3_000) == EVENT


@pytest.mark.parametrize("size", [16, 65])
def test_a_secret_of_another_size_is_refused(size: int) -> None:
    secret = "whsec_" + base64.b64encode(random_secrets.token_bytes(size)).decode()
    with pytest.raises(ValueError, match="24 to 64 bytes"):
        headers_of(b"{}", secret)


def test_a_secret_that_is_no_base64_is_refused_without_being_quoted() -> None:
    with pytest.raises(ValueError, match="base64") as refused:
        headers_of(b"{}", "whsec_correct horse")
    assert "horse" not in str(refused.value)


def test_a_later_version_may_add_types_and_fields() -> None:
    body = json.dumps({**EVENT.payload(), "type": "artifact.moved", "colour": "red"}).encode()
    event = verify_webhook(headers_of(body), body, SECRET, now=NOW)
    assert (event.type, event.job_id) == ("artifact.moved", 12)


def test_the_time_is_iso_8601_in_utc() -> None:
    assert json.loads(EVENT.body())["time"] == "2026-01-31T18:00:00Z"
