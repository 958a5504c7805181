"""What docs/reliability.md says of brokers and hosts is what `make faults-report` measured."""

from pathlib import Path

from benchmarks.marks import marked
from tests.faults.audit import Wrong
from tests.faults.brokers import BROKERS
from tests.faults.measured import Measured, Storm, read_measured
from tests.faults.report import HOSTS, PAGE, REPORT
from tests.faults.small_storm import small_storm
from tests.faults.tables import tables

MEASURED = read_measured(REPORT)


def test_the_page_has_the_tables_of_the_report() -> None:
    page = PAGE.read_text()
    for name, table in tables(MEASURED).items():
        assert marked(name, table) in page, name


def test_each_broker_was_measured_and_nothing_was_wrong() -> None:
    # Given every fault of a broker's storm
    for broker in BROKERS:
        storms = [each for each in MEASURED.storms.values() if each.broker == broker]
        assert storms, broker
        # Then each storm inflicted it, and ended as promised
        assert all(each.faults.keys() == small_storm(broker).only for each in storms), broker
        assert all(each.is_right for each in storms), broker
        # And a killed worker's upload continued in time
        assert all(figure.is_kept for figure in MEASURED.takeovers[broker]), broker
    assert {name for name, _ in MEASURED.storms} == BROKERS.keys()


def test_hosts_did_every_upload_where_its_files_are() -> None:
    assert tuple(MEASURED.hosts) == HOSTS
    assert all(each.is_right and each.requested for each in MEASURED.hosts.values())


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    MEASURED.write(tmp_path / "report.json")
    assert read_measured(tmp_path / "report.json") == MEASURED


def test_a_finding_shows_in_its_column() -> None:
    # Given a storm on SQS that lost one upload of nine
    storm = Storm(
        broker="sqs",
        seed=1,
        requested=9,
        done=8,
        seconds=60,
        faults={"worker killed": 2, "beat killed": 1, "broker away": 4},
        s3_faults=5,
        found={**dict.fromkeys(Wrong, 0), Wrong.LOST: 1},
    )
    # Then it is not right, and its row says what was lost
    assert not storm.is_right
    table = tables(Measured(storms={("sqs", 1): storm}))["storms"]
    head, _, row = (line.strip("|\n").split(" | ") for line in table.splitlines())
    cells = dict(zip((cell.strip() for cell in head), row, strict=True))
    assert (cells["worker or beat killed"], cells["connections cut or hanging"]) == ("3", "4")
    assert (cells["requested"], cells["done"], cells["lost"]) == ("9", "8", "1")
    assert cells["misplaced"] == cells["corrupt"] == cells["double"] == "0"
