"""Who asked: a user's id or a name, and nothing that must not be shown."""

import re
from uuid import UUID

import pytest

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.requester import (
    MAX_REQUESTER,
    Requester,
    new_request_id,
    new_request_ids,
    requester_name,
)
from artifact_pipeline.domain.model.transfers import MAX_REQUEST_ID, Direction
from tests.domain.producing import ProducingWorld
from tests.domain.world import CONFIG


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (None, None),
        (42, "42"),
        (" alice ", "alice"),
        ("alice@example.com", "alice@example.com"),
        ("Zoë Müller", "Zoë Müller"),
        ("x" * MAX_REQUESTER, "x" * MAX_REQUESTER),
    ],
)
def test_an_id_or_a_name_is_kept(given: Requester | None, kept: str | None) -> None:
    assert requester_name(given) == kept


@pytest.mark.parametrize(
    "given",
    [
        "",
        "  ",
        True,
        "x" * (MAX_REQUESTER + 1),
        "two\nlines",
        "nul\0",
        "https://user:secret@host/",
        "/home/alice/secret.txt",
        "password=hunter2",
        "AKIAIOSFODNN7EXAMPLE",
    ],
)
def test_anything_else_is_refused_and_not_repeated(given: Requester) -> None:
    with pytest.raises(InvalidRequestError, match=r"^requested_by: .* name") as refused:
        requester_name(given)
    assert not re.search("secret.txt|hunter2|AKIA|user:", str(refused.value))


class TestRequestId:
    def test_a_users_id_stands_in_it(self) -> None:
        first, second = new_request_id("42"), new_request_id("42")
        assert first != second
        assert first.startswith("user-42-")

    @pytest.mark.parametrize("name", [None, "alice", "alice@example.com", "4" * 21, "٤٢", "-1"])
    def test_a_name_does_not(self, name: str | None) -> None:
        assert re.fullmatch("[0-9a-f-]{36}", new_request_id(name))

    def test_many_are_like_one(self) -> None:
        ids = new_request_ids("42", 64)
        assert len(set(ids)) == 64
        assert {UUID(each.removeprefix("user-42-")).version for each in ids} == {7}

    def test_it_is_never_too_long(self) -> None:
        assert len(new_request_id("9" * 20)) <= MAX_REQUEST_ID


class TestController:
    def test_all_that_it_requests_is_its_users(self) -> None:
        # Given
        world = ProducingWorld()
        controller = world.controller_for(42)
        # When
        controller.submit_job_config(12)
        controller.submit_job(12)
        controller.submit_run_config(12, 4)
        controller.request_upload(ArtifactKind.JOB_CONFIG, 12)
        controller.request_download(ArtifactKind.RUN_LOGS, 12, 4)
        # Then
        transfers = world.transfers.of_job(12)
        assert [each.requested_by for each in transfers] == ["42"] * 5

    def test_one_request_may_be_anothers(self) -> None:
        controller = ProducingWorld().controller_for(42)
        upload = controller.request_upload(ArtifactKind.JOB_CONFIG, 12, requested_by="alice")
        assert upload.requested_by == "alice"

    def test_the_first_who_asks_is_kept(self) -> None:
        world = ProducingWorld()
        world.controller_for("alice").request_upload(ArtifactKind.JOB_CONFIG, 12)
        again = world.controller_for("bob").request_upload(ArtifactKind.JOB_CONFIG, 12)
        assert again == world.latest(CONFIG, Direction.UPLOAD)
        assert again.requested_by == "alice"
