"""A deployment whose every secret can be recognised, and a look at all that it leaves behind."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis import Redis
from sqlalchemy import Engine, inspect, text
from sqlalchemy.engine import make_url

from artifact_pipeline.worker.embedded.servers import Ministack, Valkey
from artifact_pipeline.worker.embedded.stack import EmbeddedStack

KEY_ID = "AKIAREC0GN1SABLE0001"
KEY = "rec0gnisable-access-key"
TOKEN = "rec0gnisable-session-token"
BROKER = "rec0gnisable-broker-password"
DATABASE = "rec0gnisable-database-password"
SIGNATURE = "rec0gnisable-signature"
CONTENT = "rec0gnisable-content"
ARGUMENT = "rec0gnisable-argument"
DIRECTORY = "rec0gnisable-directory"
SECRETS = (KEY_ID, KEY, TOKEN, BROKER, DATABASE, SIGNATURE, CONTENT, ARGUMENT, DIRECTORY)
NEEDLES = ("rec0gnisable", KEY_ID, "X-Amz-Signature", "X-Amz-Credential", "X-Amz-Security-Token")


class GuardedValkey(Valkey):
    """A broker that wants a password; its directory is too deep for a socket."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory / ("deep" * 25))
        assert self._port
        self._argv += ["--requirepass", BROKER]

    @property
    def url(self) -> str:
        return f"redis://:{BROKER}@127.0.0.1:{self._port}/0"

    def client(self) -> Redis:
        return Redis(host="127.0.0.1", port=self._port, password=BROKER)


class SecretiveStack(EmbeddedStack):
    """Its broker, database, S3 and workspace are all told by a secret."""

    def __init__(self, directory: Path, postgres_url: str) -> None:
        url = make_url(postgres_url).set(password=DATABASE)
        super().__init__(directory, url.render_as_string(hide_password=False))
        self.workspace = directory / DIRECTORY
        self.workspace.mkdir()
        self.broker = GuardedValkey(directory / "broker")
        self.s3 = Ministack(directory / "s3", KEY_ID, KEY)
        self.logs = directory

    def settings(self) -> dict[str, str]:
        return {
            **super().settings(),
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": KEY,
            "AWS_SESSION_TOKEN": TOKEN,
        }


@dataclass
class Traces:
    """Text by the place where it was found."""

    said: list[tuple[str, str]] = field(default_factory=list)

    def add(self, place: str, found: object) -> None:
        self.said.append((place, found if isinstance(found, str) else repr(found)))

    def add_database(self, engine: Engine) -> None:
        """Every row of every table."""
        with engine.connect() as connection:
            for table in inspect(engine).get_table_names():
                for row in connection.execute(text(f"SELECT * FROM {table}")):  # noqa: S608 - ours
                    self.add(f"table {table}", tuple(row))

    def add_broker(self, client: Redis) -> None:
        """Every value under every key."""
        for key in client.scan_iter():
            self.add("broker", (key, _value(client, key)))

    def add_logs(self, directory: Path) -> None:
        """What the workers have written."""
        for path in directory.glob("worker*.log"):
            self.add(path.name, path.read_text())

    def leaks(self) -> set[tuple[str, str]]:
        """Where which needle lies."""
        return {
            (place, needle)
            for place, text_ in self.said
            for needle in NEEDLES
            if needle.casefold() in text_.casefold()
        }


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Of a command, with nothing of the user's own."""
    own = ("ARTIFACTS_", "AWS_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    return {**inherited, **settings}


def _value(client: Any, key: bytes) -> list[Any]:
    kind = client.type(key)
    readers: dict[bytes, Iterator[Any] | list[Any]] = {
        b"string": [client.get(key)] if kind == b"string" else [],
        b"list": client.lrange(key, 0, -1) if kind == b"list" else [],
        b"hash": list(client.hgetall(key).items()) if kind == b"hash" else [],
        b"set": list(client.smembers(key)) if kind == b"set" else [],
        b"zset": client.zrange(key, 0, -1, withscores=True) if kind == b"zset" else [],
    }
    return list(readers[kind])
