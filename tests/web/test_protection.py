"""What protects a user's browser: no changes for other sites, and the headers of responses."""

from typing import Any

import pytest

from artifact_pipeline.worker.web.access.csrf import CsrfTokens, Signer
from artifact_pipeline.worker.web.api.routes import ENDPOINTS
from artifact_pipeline.worker.web.errors import CrossSiteError
from tests.web.steps import API, HOST, Client, World

POSTS = [each for each in ENDPOINTS if each.method == "POST"]


def concrete(path: str) -> str:
    for name, value in {"job_id": "12", "kind": "job_config", "batch_id": "1"}.items():
        path = path.replace(f"{{{name}}}", value)
    return f"{API}{path}"


class TestChanges:
    @pytest.mark.parametrize("endpoint", POSTS, ids=lambda each: each.name)
    def test_none_without_a_token(self, client: Client, endpoint: Any) -> None:
        response = client.request("POST", concrete(endpoint.path), json={})
        assert (response.status_code, response.json()["code"]) == (403, "cross_site")

    @pytest.mark.parametrize(
        "headers",
        [
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": f"http://{HOST}.evil.example"},
        ],
    )
    def test_none_from_another_site(self, client: Client, headers: dict[str, str]) -> None:
        response = client.post("/batches/1/pause", {"reason": "x"}, headers=headers)
        assert (response.status_code, response.json()["code"]) == (403, "cross_site")

    def test_one_of_a_page_of_this_server(self, client: Client) -> None:
        own = {"Sec-Fetch-Site": "same-origin", "Origin": f"https://{HOST}"}
        response = client.post("/batches/1/pause", {"reason": "x"}, headers=own)
        assert response.json()["detail"] == "there is no batch 1"

    @pytest.mark.parametrize("endpoint", POSTS, ids=lambda each: each.name)
    def test_none_by_a_reader(self, world: World, endpoint: Any) -> None:
        # Given a server that refuses all changes; a download changes nothing
        client = world.client(is_read_only=True)
        session = client.answer("/session")
        # When
        token = {"X-CSRF-Token": session["csrf_token"]}
        response = client.request("POST", concrete(endpoint.path), json={}, headers=token)
        # Then
        expected = 404 if endpoint.name == "download" else 403
        assert (response.status_code, session["role"]) == (expected, "read-only")

    def test_a_token_is_one_users_for_some_hours(self) -> None:
        # Given
        now = [1_000_000.0]
        tokens = CsrfTokens(Signer(), lambda: now[0])
        token = tokens.token("anna")
        tokens.check("anna", token)
        # Then
        for user, given in (("bert", token), ("anna", ""), ("anna", "9999999999.x"), ("anna", "é")):
            with pytest.raises(CrossSiteError):
                tokens.check(user, given)
        with pytest.raises(CrossSiteError):
            CsrfTokens(Signer(), lambda: now[0]).check("anna", token)
        now[0] += 13 * 3600
        with pytest.raises(CrossSiteError):
            tokens.check("anna", token)

    def test_processes_with_one_secret_take_each_others_tokens(self) -> None:
        secret = "s" * 32
        CsrfTokens(Signer(secret)).check("anna", CsrfTokens(Signer(secret)).token("anna"))


class TestHeaders:
    @pytest.mark.parametrize("path", ["/overview", "/jobs/999", "/nothing"])
    def test_each_response_has_them(self, client: Client, path: str) -> None:
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "same-origin"

    def test_an_unexpected_error_shows_nothing(
        self, client: Client, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given
        def fail(*_: object, **__: object) -> None:
            raise RuntimeError("the password is hunter2")

        monkeypatch.setattr(world.sources.job_pages, "search", fail)
        # When
        response = client.get("/jobs")
        # Then
        assert response.status_code == 500
        assert response.json()["detail"] == "an unexpected error: the server's log has its frames"
        assert "nosniff" in response.headers["x-content-type-options"]
