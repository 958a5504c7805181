"""The workspaces that the database knows."""

import pytest
from alembic import command
from sqlalchemy import Engine

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.worker.sql.engine import make_engine, transaction
from artifact_pipeline.worker.sql.migrate import _config, upgrade
from artifact_pipeline.worker.sql.workspaces import SqlWorkspaces
from tests.contract.transfer_steps import at_once


@pytest.fixture
def workspaces(engine: Engine) -> SqlWorkspaces:
    return SqlWorkspaces(engine, "me@here")


def test_at_first_none_is_known(workspaces: SqlWorkspaces) -> None:
    assert workspaces.known() == frozenset()


def test_the_first_one_is_added_and_no_second_one_by_itself(workspaces: SqlWorkspaces) -> None:
    workspaces.add_first("a")
    workspaces.add_first("b")
    assert workspaces.known() == frozenset({"a"})


def test_of_two_first_ones_at_once_one_is_added(workspaces: SqlWorkspaces) -> None:
    at_once(lambda n: workspaces.add_first(str(n)))
    known = workspaces.known()
    assert known is not None
    assert len(known) == 1


def test_several_may_be_known(workspaces: SqlWorkspaces) -> None:
    for _ in range(2):
        for each in ("a", "b"):
            workspaces.add(each)
    assert workspaces.known() == frozenset({"a", "b"})


@pytest.mark.parametrize("new", ["b", "c"])
def test_one_replaces_all_others(workspaces: SqlWorkspaces, new: str) -> None:
    for each in ("a", "b"):
        workspaces.add(each)
    workspaces.replace_all(new)
    assert workspaces.known() == frozenset({new})


def test_an_older_database_has_no_such_table(empty_url: str) -> None:
    # Given
    engine = make_engine(empty_url)
    with transaction(engine) as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0006")
    # When, then
    assert SqlWorkspaces(engine).known() is None
    # And after the upgrade
    upgrade(engine)
    assert SqlWorkspaces(engine).known() == frozenset()
    engine.dispose()


def test_each_name_has_workspaces_of_its_own(engine: Engine) -> None:
    # Given the default workspace, and one of host A
    default, host_a = SqlWorkspaces(engine), SqlWorkspaces(engine, name="host-a")
    default.add_first("a")
    host_a.add_first("b")
    # Then each knows its own, and replaces no other
    host_a.replace_all("c")
    assert default.known() == frozenset({"a"})
    assert host_a.known() == frozenset({"c"})


def test_one_tree_has_one_name(engine: Engine) -> None:
    SqlWorkspaces(engine, name="host-a").add("a")
    for name, text in ((None, "the default workspace"), ("host-b", "the workspace host-b")):
        with pytest.raises(InvalidRequestError, match=f"is the workspace host-a already.* {text}"):
            SqlWorkspaces(engine, name=name).add("a")
