"""What Flower would answer with a traceback is one line."""

import socket
from pathlib import Path
from types import SimpleNamespace

import pytest
from tornado.netutil import bind_sockets

from artifact_pipeline.domain.errors import ConfigurationError
from artifact_pipeline.worker.flower_command import check_flower_command, listen_or_end

CELERY = ["celery", "-A", "artifact_pipeline.worker.control"]


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"FLOWER_PORT": "abc"}, "FLOWER_PORT: 'abc' is not a number (example: 5555)"),
        ({"FLOWER_PORT": ""}, "FLOWER_PORT: '' is not a number (example: 5555)"),
        ({"FLOWER_PORT": "70000"}, "FLOWER_PORT: 70000 is no port; use 1 to 65535"),
        ({"FLOWER_MAX_TASKS": "1e3"}, "FLOWER_MAX_TASKS: '1e3' is not a number"),
    ],
)
def test_a_number_that_flower_cannot_read(environment: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        check_flower_command([*CELERY, "flower"], environment)
    assert str(raised.value).startswith(said)


@pytest.mark.parametrize("conf", [["--conf=nowhere.py"], ["--conf", "nowhere.py"], ["--conf"]])
def test_a_missing_file_of_settings_is_told_with_the_one_that_is_installed(
    conf: list[str],
) -> None:
    with pytest.raises(ConfigurationError, match="is no file; use --conf=") as raised:
        check_flower_command([*CELERY, "flower", *conf], {})
    installed = str(raised.value).rpartition("--conf=")[2]
    assert Path(installed).name == "flowerconfig.py"
    check_flower_command([*CELERY, "flower", f"--conf={installed}"], {"FLOWER_PORT": "5556"})


def test_beat_reads_none_of_it() -> None:
    check_flower_command([*CELERY, "beat"], {"FLOWER_PORT": "abc"})


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        # Given Flower at a port that another process listens at
        port = taken.getsockname()[1]

        class Flower:
            options = SimpleNamespace(address="127.0.0.1", port=port)

            def start_http_server(self) -> None:
                bind_sockets(self.options.port, address=self.options.address)

        listen_or_end(Flower)

        # When it listens
        with pytest.raises(SystemExit) as ended:
            Flower().start_http_server()

    # Then it ends with a line that names both settings
    said = str(ended.value)
    place = f"127.0.0.1:{port}"
    assert said.startswith(f"artifacts: FLOWER_ADDRESS, FLOWER_PORT: cannot listen on {place}")
    assert "\n" not in said
