"""The tokens that boto3 signs, checked as RDS checks them, through worker and commands."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine, make_url, text

from artifact_pipeline.domain.errors import ConfigurationError, SqlUnavailableError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.worker.composition.engine import RdsTokens
from artifact_pipeline.worker.embedded.stack import EmbeddedStack
from artifact_pipeline.worker.sql.errors import SqlMisconfiguredError
from tests import preloaded
from tests.faults.postgres import RestartablePostgres
from tests.iam.conftest import DATABASE
from tests.iam.tls_front import HOST, TlsFront
from tests.iam.tokens import USER, is_valid, set_password
from tests.integration.deployment import Deployment

PASSWORD = "of the role, which no client knows"
KEYS = {"AWS_ACCESS_KEY_ID": "me", "AWS_SECRET_ACCESS_KEY": "my-secret"}
REGION = {"AWS_DEFAULT_REGION": "eu-central-1"}


class Rds:
    """Lets those in whose password is a valid token."""

    def __init__(self, secret: str, region: str) -> None:
        self.host = ""
        self.accepted = 0
        self._valid = partial(is_valid, secret=secret, region=region)

    def password_of(self, token: str) -> str:
        if not self._valid(token, host=self.host):
            return "refused"
        self.accepted += 1
        return PASSWORD


@pytest.fixture
def stack(postgres: RestartablePostgres, tmp_path: Path) -> Iterator[EmbeddedStack]:
    with EmbeddedStack(tmp_path / "stack", postgres.url(DATABASE)) as stack:
        yield stack


@pytest.fixture
def rds(stack: EmbeddedStack) -> Rds:
    settings = stack.settings()
    return Rds(settings["AWS_SECRET_ACCESS_KEY"], settings["AWS_DEFAULT_REGION"])


@pytest.fixture
def environment(
    rds: Rds, postgres: RestartablePostgres, tmp_path: Path
) -> Iterator[dict[str, str]]:
    """What leads a process to the database by tokens."""
    set_password(postgres, PASSWORD)
    with TlsFront(postgres.socket, tmp_path, rds.password_of) as front:
        rds.host = f"{HOST}:{front.port}"
        yield {
            "ARTIFACTS_DATABASE_URL": front.url(USER, DATABASE),
            "ARTIFACTS_DATABASE_IAM": "true",
        }


def run(stack: EmbeddedStack, *arguments: str, **settings: str) -> preloaded.Ended:
    return preloaded.run_command(arguments, {**os.environ, **stack.settings(), **settings})


def test_a_worker_and_the_commands_do_their_work_by_tokens(
    stack: EmbeddedStack, environment: dict[str, str], rds: Rds
) -> None:
    # Given
    deployment = Deployment(stack)
    artifact = Artifact(ArtifactKind.JOB_CONFIG, deployment.job(datetime.now(UTC)))
    deployment.write(artifact)
    # When
    stack.start_worker("--concurrency", "2", environment=environment)
    deployment.send(artifact)
    # Then
    assert deployment.stored(artifact).object.size > 0
    by_worker = rds.accepted
    assert by_worker > 0
    for command in (
        ("jobs", "info", str(artifact.job_id)),
        ("jobs", "uploads", "list", "--job-id", str(artifact.job_id)),
        ("health", "ready", "--only", "database", "--only", "backlog"),
        ("doctor",),
        ("status",),
    ):
        before = rds.accepted
        ended = run(stack, *command, **environment)
        assert "Traceback" not in ended.err
        assert rds.accepted > before, (command, ended.out, ended.err)
        assert "X-Amz-" not in ended.out + ended.err
    assert f"job_config of job {artifact.job_id}" in _logs(stack)
    assert "X-Amz-" not in _logs(stack)


def test_a_token_that_others_signed_is_refused_in_one_line(
    stack: EmbeddedStack, environment: dict[str, str], rds: Rds
) -> None:
    # When
    ended = run(stack, "jobs", "list", **environment, AWS_SECRET_ACCESS_KEY="another")
    # Then
    assert ended.status == 1
    (line,) = ended.err.splitlines()
    assert line.startswith("artifacts: ARTIFACTS_DATABASE_URL: connection failed: ")
    assert f'password authentication failed for user "{USER}"' in line
    assert rds.accepted == 0


def _logs(stack: EmbeddedStack) -> str:
    return "\n".join(path.read_text() for path in stack.directory.glob("*.log"))


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A machine without credentials or a region."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return monkeypatch


def token(url: str = f"postgresql+psycopg://{USER}@db.example/platform") -> str:
    return RdsTokens(make_url(url))()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (KEYS, "no token for the database: AWS_DEFAULT_REGION: not set. Example: eu-central-1"),
        (REGION, "no token for the database: no AWS credentials: set AWS_PROFILE, or "),
        (
            {**REGION, "AWS_PROFILE": "prod-x"},
            "no token for the database: AWS_PROFILE=prod-x: no such profile. ",
        ),
        (
            {
                **REGION,
                "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/me",
                "AWS_WEB_IDENTITY_TOKEN_FILE": "/nobodys",
            },
            "no token for the database: [Errno 2] No such file or directory: '/nobodys'",
        ),
    ],
    ids=["region", "credentials", "profile", "web identity"],
)
def test_what_is_missing_to_sign_a_token_is_one_line(
    bare: pytest.MonkeyPatch, settings: dict[str, str], said: str
) -> None:
    for name, value in settings.items():
        bare.setenv(name, value)
    with pytest.raises(SqlMisconfiguredError) as refused:
        token()
    assert str(refused.value).startswith(said)
    assert "\n" not in str(refused.value)
    assert isinstance(refused.value, ConfigurationError)


def test_credentials_that_cannot_be_fetched_now_are_an_outage(bare: pytest.MonkeyPatch) -> None:
    # Given a process that gives credentials and fails
    config = Path(os.environ["AWS_CONFIG_FILE"])
    config.write_text("[default]\ncredential_process = false\nregion = eu-central-1\n")
    bare.setenv("AWS_PROFILE", "default")
    # When / Then
    with pytest.raises(SqlUnavailableError, match="CredentialRetrievalError") as away:
        token()
    assert not isinstance(away.value, ConfigurationError)


@pytest.mark.parametrize("port", ["", ":5433"])
def test_a_token_is_for_the_host_port_and_user_of_the_url(
    bare: pytest.MonkeyPatch, port: str
) -> None:
    # Given
    for name, value in {**KEYS, **REGION}.items():
        bare.setenv(name, value)
    # When
    signed = token(f"postgresql+psycopg://{USER}:hunter2@db.example{port}/platform")
    # Then
    host = f"db.example{port or ':5432'}"
    valid = partial(is_valid, secret="my-secret", region="eu-central-1")
    assert valid(signed, host=host)
    assert not valid(signed, host="another:5432")
    assert "hunter2" not in signed


def test_the_stand_in_refuses_what_rds_refuses(bare: pytest.MonkeyPatch) -> None:
    # Given
    for name, value in {**KEYS, **REGION}.items():
        bare.setenv(name, value)
    signed, host = token(), "db.example:5432"
    # When / Then
    assert is_valid(signed, host=host, secret="my-secret", region="eu-central-1")
    assert not is_valid(signed, host=host, secret="another", region="eu-central-1")
    assert not is_valid(signed, host=host, secret="my-secret", region="us-east-1")
    older = signed.replace("X-Amz-Date=20", "X-Amz-Date=19")
    assert not is_valid(older, host=host, secret="my-secret", region="eu-central-1")


def test_the_role_itself_is_let_in_by_no_other_way(owner: Engine) -> None:
    """The stand-in proves nothing if PostgreSQL asks this role for no password."""
    with owner.connect() as connection:
        rules = connection.execute(
            text("SELECT auth_method FROM pg_hba_file_rules WHERE :user = ANY(user_name)"),
            {"user": USER},
        )
        assert rules.scalars().all() == ["password"]
