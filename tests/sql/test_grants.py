"""What a role of PostgreSQL lacks is found, each grant alone."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import Engine, make_url, text

from artifact_pipeline.worker.diagnosis.database import examine_database, reach_database
from artifact_pipeline.worker.diagnosis.findings import Severity
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.grants import Grant, grant_statements, needed_grants
from tests.databases import grant_needed, lacked_grants, role


@dataclass
class Limited:
    """A database for its owner, and for a role."""

    owner: Engine
    engine: Engine
    name: str

    def execute(self, statement: str) -> None:
        with self.owner.begin() as connection:
            connection.execute(text(statement))


@pytest.fixture
def limited(fresh_postgres_url: str) -> Iterator[Limited]:
    owner = make_engine(fresh_postgres_url)
    with owner.begin() as connection:
        database = connection.scalar(text("SELECT current_database()"))
        connection.execute(text(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC"))
        connection.execute(text("REVOKE ALL ON SCHEMA public FROM PUBLIC"))
    with role(fresh_postgres_url) as url:
        name = str(make_url(url).username)
        with owner.begin() as connection:
            connection.execute(text(f"GRANT CONNECT ON DATABASE {database} TO {name}"))
        engine = make_engine(url)
        yield Limited(owner, engine, name)
        engine.dispose()
    owner.dispose()


def test_a_role_without_any_lacks_all(limited: Limited) -> None:
    assert lacked_grants(limited.engine) == needed_grants(limited.engine) != []


def test_each_that_is_taken_away_is_missed_alone(limited: Limited) -> None:
    # Given
    grant_needed(limited.owner, limited.name)
    assert lacked_grants(limited.engine) == []
    for grant in needed_grants(limited.engine):
        given = grant_statements([grant], limited.name)[0]
        # When
        limited.execute(given.replace("GRANT", "REVOKE", 1).replace(" TO ", " FROM "))
        # Then
        assert lacked_grants(limited.engine) == [grant]
        limited.execute(given)


def test_a_worker_does_without_what_only_a_command_needs(limited: Limited) -> None:
    # Given
    grant_needed(limited.owner, limited.name)
    of_commands = [each for each in needed_grants(limited.engine) if not each.is_for_workers]
    given = grant_statements(of_commands, limited.name)
    for statement in given:
        limited.execute(statement.replace("GRANT", "REVOKE", 1).replace(" TO ", " FROM "))
    # When
    reach_database(limited.engine)
    # Then
    assert lacked_grants(limited.engine) == of_commands
    assert {each.privilege for each in of_commands} >= {"TEMPORARY", "DELETE"}
    [finding] = [
        each for each in examine_database(limited.engine) if each.check == "database grants"
    ]
    assert (finding.severity, finding.fix) == (Severity.WARNING, "; ".join(given))


def test_a_role_that_may_only_read_lacks_all_that_is_written(limited: Limited) -> None:
    # Given
    limited.execute(f"GRANT USAGE ON SCHEMA public TO {limited.name}")
    limited.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {limited.name}")
    # When
    missing = lacked_grants(limited.engine)
    # Then
    assert {grant.privilege for grant in missing} == {
        *("TEMPORARY", "USAGE", "INSERT", "UPDATE", "DELETE")
    }
    assert {grant.column for grant in missing if grant.column} == {
        *("config_location", "input_location"),
        *("config_url", "results_url", "results_uploaded_at", "status", "updated_at"),
    }


def test_what_is_said_to_be_granted_is_all_that_is_missing(limited: Limited) -> None:
    # When
    for statement in grant_statements(lacked_grants(limited.engine), limited.name):
        limited.execute(statement)
    # Then
    assert lacked_grants(limited.engine) == []


def test_the_owner_lacks_nothing(limited: Limited) -> None:
    assert lacked_grants(limited.owner) == []


def test_tables_of_a_schema_whose_name_must_be_quoted_are_found(limited: Limited) -> None:
    # Given the tables in a schema that the search path of the role names after two others
    limited.execute('ALTER SCHEMA public RENAME TO "The, ""Platform"""')
    path = '''"$user", NoSuch, "The, ""Platform"""'''
    limited.execute(f"ALTER ROLE {limited.name} SET search_path = {path}")
    limited.engine.dispose()
    # When
    missing = lacked_grants(limited.engine)
    # Then
    named = '"The, ""Platform""".transfers'
    assert Grant("SELECT", named) in missing
    statement = grant_statements([Grant("SELECT", named)], limited.name)[0]
    limited.execute(f'GRANT USAGE ON SCHEMA "The, ""Platform""" TO {limited.name}')
    limited.execute(statement)
    assert Grant("SELECT", named) not in lacked_grants(limited.engine)


def test_sqlite_has_no_roles(sqlite_url: str) -> None:
    engine = make_engine(sqlite_url)
    assert lacked_grants(engine) == []
    engine.dispose()


def test_a_statement_is_for_one_object() -> None:
    grants = [
        Grant("SELECT", "public.jobs", "id"),
        Grant("SELECT", "public.jobs", "status"),
        Grant("UPDATE", "public.jobs", "config_location"),
        Grant("INSERT", "public.transfers"),
        Grant("UPDATE", "public.transfers"),
    ]
    assert grant_statements(grants, "worker") == [
        "GRANT SELECT (id, status), UPDATE (config_location) ON public.jobs TO worker",
        "GRANT INSERT, UPDATE ON public.transfers TO worker",
    ]
