"""Who may use the application: hosts, logins, a proxy, settings."""

import asyncio
import logging
import threading
from typing import Any

import httpx
import pytest

from artifact_pipeline.domain.errors import ConfigurationError
from artifact_pipeline.worker.settings import WebSettings
from artifact_pipeline.worker.web.access import logins as logins_module
from artifact_pipeline.worker.web.access import password_checks
from artifact_pipeline.worker.web.access.configured import (
    access_of,
    check_address,
    check_root_path,
    hosts_of,
)
from artifact_pipeline.worker.web.access.logins import LoginAccess, parse_logins
from artifact_pipeline.worker.web.access.passwords import PasswordHash, spend_as_a_check
from artifact_pipeline.worker.web.access.proxy import ProxyAccess, parse_networks
from artifact_pipeline.worker.web.access.users import LocalAccess
from artifact_pipeline.worker.web.app import create_app
from tests.web.steps import API, HOST, NO_BROKER, Client, World

ANNA, BERT = ("anna", "correct horse"), ("bert", "battery staple")


@pytest.fixture(scope="module")
def logins() -> str:
    """As the setting has them."""
    pairs = ((ANNA, "operator"), (BERT, "read-only"))
    return ", ".join(f"{name}:{role}:{PasswordHash.of(word)}" for (name, word), role in pairs)


@pytest.fixture
def access(logins: str) -> LoginAccess:
    return LoginAccess(parse_logins(logins))


class TestHosts:
    @pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "a@localhost"])
    def test_another_name_is_refused(self, client: Client, host: str) -> None:
        # As where a page of another site has its own name resolve to this server
        response = client.request("GET", f"{API}/overview", headers={"Host": host})
        assert (response.status_code, response.json()["code"]) == (400, "wrong_host")

    @pytest.mark.parametrize("host", ["localhost:9550", "127.0.0.1", "[::1]:9550", "LOCALHOST"])
    def test_this_host_has_its_own_names(self, world: World, host: str) -> None:
        local = Client(create_app(world.service, access=LocalAccess("tests")))
        response = local.request("GET", f"{API}/session", headers={"Host": host})
        local.close()
        assert response.status_code == 200

    @pytest.mark.parametrize(
        "header", ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via"]
    )
    def test_without_logins_a_proxy_is_refused(self, world: World, header: str) -> None:
        # As behind one on this host, whose peer and host are local for everyone
        local = Client(create_app(world.service, access=LocalAccess("tests")))
        response = local.request(
            "GET", f"{API}/session", headers={"Host": "127.0.0.1", header: "8.8.8.8"}
        )
        local.close()
        assert response.status_code == 401
        assert "ARTIFACTS_WEB_USER_HEADER" in response.json()["detail"]

    def test_health_is_answered_under_each_name(self, world: World, access: LoginAccess) -> None:
        response = world.client(access).request("GET", "/healthz", headers={"Host": "10.0.0.9"})
        assert (response.status_code, response.text) == (200, "ok\n")


class TestLogins:
    def test_a_user_is_let_in(self, world: World, access: LoginAccess) -> None:
        response = world.client(access).request("GET", f"{API}/session", auth=BERT)
        assert (response.json()["user"], response.json()["role"]) == ("bert", "read-only")

    @pytest.mark.parametrize(
        "given",
        [
            *({}, {"auth": ("anna", "wrong")}, {"auth": ("anna", "")}, {"auth": ("", "")}),
            *({"auth": ("nobody", "correct horse")}, {"auth": ("bert", ANNA[1])}),
            {"headers": {"Authorization": "Basic !!!"}},
            {"headers": {"Authorization": "Basic bm8tY29sb24="}},
            {"headers": {"Authorization": "Bearer correct horse"}},
            {"headers": {"Authorization": "Basic " + "A" * 5_000}},
        ],
    )
    def test_others_are_asked_for_a_password(
        self, world: World, access: LoginAccess, given: dict[str, Any]
    ) -> None:
        response = world.client(access).request("GET", f"{API}/overview", **given)
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith("Basic realm=")
        assert response.headers["cache-control"] == "no-store"

    def test_a_wrong_password_is_logged_without_it(
        self, world: World, access: LoginAccess, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.WARNING):
            world.client(access, peer="10.0.0.9").request(
                "GET", f"{API}/overview", auth=("anna\n", "s3cret!")
            )
        [line] = caplog.messages
        assert line == "a login as anna from 10.0.0.9 was refused"

    def test_a_right_password_is_checked_once(
        self, world: World, access: LoginAccess, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given
        checks: list[str] = []
        is_of = PasswordHash.is_of

        def counted(self: PasswordHash, password: str) -> bool:
            checks.append(password)
            return is_of(self, password)

        monkeypatch.setattr(PasswordHash, "is_of", counted)
        client = world.client(access)
        # When
        for _ in range(3):
            assert client.request("GET", f"{API}/session", auth=ANNA).status_code == 200
        assert client.request("GET", f"{API}/session", auth=(ANNA[0], "x")).status_code == 401
        # Then
        assert checks == [ANNA[1], "x"]

    def test_guesses_do_not_queue_without_end(
        self, world: World, access: LoginAccess, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(password_checks, "_WAITING", 0)
        response = world.client(access).request("GET", f"{API}/session", auth=ANNA)
        assert (response.status_code, response.headers["retry-after"]) == (503, "5")

    def test_the_guesses_of_others_refuse_no_user(
        self, world: World, access: LoginAccess, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given a user who is logged in, and one who is not yet
        app = world.app(access)
        began, go_on = threading.Event(), threading.Event()

        def slow(password: str) -> bool:
            began.set()
            assert go_on.wait(20)
            return spend_as_a_check(password)

        monkeypatch.setattr(logins_module, "spend_as_a_check", slow)

        async def ask(auth: tuple[str, str], peer: str) -> int:
            transport = httpx.ASGITransport(app, client=(peer, 5000))
            async with httpx.AsyncClient(transport=transport, auth=auth) as client:
                return (await client.get(f"http://{HOST}{API}/session")).status_code

        async def storm() -> tuple[int, list[int], list[int]]:
            await ask(ANNA, "10.0.0.1")
            # When one peer guesses as fast as it can
            tries = [
                asyncio.create_task(ask((f"user-{n}", "guess"), "10.0.0.9")) for n in range(60)
            ]
            await asyncio.to_thread(began.wait, 20)
            of_anna = await ask(ANNA, "10.0.0.1")
            # When a page of the other one asks for several things at once
            asked = [asyncio.create_task(ask(BERT, "10.0.0.2")) for _ in range(8)]
            await asyncio.sleep(0)
            go_on.set()
            return of_anna, await asyncio.gather(*asked), await asyncio.gather(*tries)

        of_anna, of_bert, of_guesses = asyncio.run(storm())
        # Then
        assert of_anna == 200
        assert set(of_bert) == {200}
        assert {status: of_guesses.count(status) for status in (401, 503)} == {401: 5, 503: 55}

    def test_a_user_stays_known_until_the_end(
        self, world: World, access: LoginAccess, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client = world.client(access)
        assert client.request("GET", f"{API}/session", auth=ANNA).status_code == 200
        # When no password can be checked any more
        monkeypatch.setattr(password_checks, "_WAITING", 0)
        # Then
        assert client.request("GET", f"{API}/session", auth=ANNA).status_code == 200
        assert client.request("GET", f"{API}/session", auth=(ANNA[0], "x")).status_code == 503

    @pytest.mark.parametrize(
        ("text", "wrong"),
        [
            ("anna:operator:secret-password", "part 1 of 1: it is no hash of"),
            ("anna:root:x", "part 1 of 1: the role is not read-only or operator"),
            ("anna", "part 1 of 1: the role is not"),
            (":operator:x", "part 1 of 1: requested_by:"),
            ("anna:operator:scrypt:3:8:1:" + "a" * 22 + ":" + "b" * 43, "out of range"),
            ("anna:operator:scrypt:1048576:128:1:" + "a" * 22 + ":" + "b" * 43, "out of range"),
        ],
    )
    def test_a_wrong_setting_is_named_and_not_quoted(self, text: str, wrong: str) -> None:
        settings = WebSettings.model_construct(web_logins=text, web_user_header="")
        with pytest.raises(ConfigurationError, match=r"^ARTIFACTS_WEB_LOGINS: ") as raised:
            access_of(settings)
        assert wrong in str(raised.value)
        assert "secret-password" not in str(raised.value)

    def test_a_hash_shows_nothing_of_itself(self) -> None:
        hashed = PasswordHash.of("correct horse")
        assert repr(hashed) == "PasswordHash(…)"
        assert PasswordHash.parse(str(hashed)).is_of("correct horse")
        assert str(hashed) != str(PasswordHash.of("correct horse"))


class TestProxy:
    ACCESS = ProxyAccess("X-User", parse_networks("10.0.0.7, 10.1.0.0/16"), ["anna"])

    @pytest.mark.parametrize(
        ("peer", "name", "role"),
        [
            ("10.0.0.7", "anna", "operator"),
            ("10.1.2.3", "bert", "read-only"),
            ("::ffff:10.0.0.7", "anna", "operator"),
        ],
    )
    def test_its_word_counts(self, world: World, peer: str, name: str, role: str) -> None:
        client = world.client(self.ACCESS, peer=peer)
        session = client.request("GET", f"{API}/session", headers={"X-User": name}).json()
        assert (session["user"], session["role"]) == (name, role)

    @pytest.mark.parametrize("peer", ["10.0.0.8", "127.0.0.1", "unix"])
    def test_nobody_elses_does(self, world: World, peer: str) -> None:
        client = world.client(self.ACCESS, peer=peer)
        response = client.request("GET", f"{API}/session", headers={"X-User": "anna"})
        assert (response.status_code, response.json()["code"]) == (401, "unauthenticated")

    @pytest.mark.parametrize(
        "headers",
        [[], [("X-User", "")], [("X-User", "anna"), ("X-User", "bert")], [("X-User", "../x")]],
    )
    def test_it_must_name_one_user(self, world: World, headers: list[tuple[str, str]]) -> None:
        client = world.client(self.ACCESS, peer="10.0.0.7")
        assert client.request("GET", f"{API}/session", headers=headers).status_code == 401


def test_without_logins_other_hosts_are_refused(world: World) -> None:
    response = world.client(peer="192.0.2.1").request("GET", f"{API}/session")
    assert response.status_code == 401


class TestSettings:
    def settings(self, **values: Any) -> WebSettings:
        return WebSettings(
            database_url="sqlite:///a.db", broker_url=NO_BROKER, bucket="artifacts", **values
        )

    def test_other_addresses_need_logins(self, logins: str) -> None:
        local = access_of(self.settings())
        with pytest.raises(ConfigurationError, match=r"^--host 0\.0\.0\.0: other hosts could"):
            check_address("0.0.0.0", local)  # noqa: S104 - refused
        check_address("127.0.0.1", local)
        check_address("0.0.0.0", access_of(self.settings(web_logins=logins)))  # noqa: S104 - allowed

    def test_other_addresses_need_a_name(self) -> None:
        with pytest.raises(ConfigurationError, match=r"^ARTIFACTS_WEB_HOSTS: not set"):
            hosts_of(self.settings(), "10.0.0.1")
        named = self.settings(web_hosts=f"{HOST}, other.example")
        assert set(hosts_of(named, "10.0.0.1")) > {HOST, "other.example"}
        assert hosts_of(self.settings(web_hosts="*"), "10.0.0.1") == ["*"]

    def test_a_header_needs_a_proxy(self) -> None:
        with pytest.raises(ConfigurationError, match=r"^ARTIFACTS_WEB_TRUSTED_PROXIES: not set"):
            access_of(self.settings(web_user_header="X-User"))
        with pytest.raises(ConfigurationError, match=r"^ARTIFACTS_WEB_TRUSTED_PROXIES: 'x' does"):
            access_of(self.settings(web_user_header="X-User", web_trusted_proxies="x"))

    @pytest.mark.parametrize("header", ["X-Forwarded User", "X-Usér", "X-User:"])
    def test_the_header_must_be_one(self, header: str) -> None:
        with pytest.raises(ConfigurationError, match=r"^ARTIFACTS_WEB_USER_HEADER: no name"):
            access_of(self.settings(web_user_header=header, web_trusted_proxies="10.0.0.7"))

    @pytest.mark.parametrize("path", ["/a?b", "a", "/a/", "/a#b", "/a b", "//"])
    def test_the_root_path_must_be_one(self, path: str) -> None:
        with pytest.raises(ConfigurationError, match=r"^--root-path .*: use a path such as"):
            check_root_path(path)
        check_root_path("/artifacts/web-1")
        check_root_path("")

    def test_logins_and_a_proxy_exclude_each_other(self, logins: str) -> None:
        both = self.settings(web_logins=logins, web_user_header="X-User")
        with pytest.raises(ConfigurationError, match="set one of them"):
            access_of(both)
