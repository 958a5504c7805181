"""What a page shows of some content."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifact_pipeline.worker.web.api.models.content import MAX_PREVIEW, Preview
from artifact_pipeline.worker.web.pages.previews.json_text import indented
from artifact_pipeline.worker.web.pages.previews.preview import (
    IMAGE_BYTES,
    TEXT_BYTES,
    Shape,
    Shown,
    image_type,
    shown,
)
from artifact_pipeline.worker.web.pages.previews.table import (
    COLUMNS_SHOWN,
    LINES_DRAWN,
    ROWS_READ,
    ROWS_SHOWN,
    Table,
    read_table,
)


def of(name: str, text: str | None, size: int = 10, *, is_cut: bool = False) -> Shown:
    return shown(Preview(name=name, size=size, text=text, is_binary=text is None, is_cut=is_cut))


def table_of(text: str, *, is_whole: bool = True) -> Table:
    table = read_table(text, is_whole=is_whole)
    assert table is not None
    return table


@pytest.mark.parametrize(
    ("name", "text", "shape"),
    [
        ("a.csv", "day,cases\n1,2\n", Shape.TABLE),
        ("a.TSV", "day\tcases\n1\t2\n", Shape.TABLE),
        ("a.csv", "one column\n", Shape.TEXT),
        ("a.json", '{"a":1}', Shape.JSON),
        ("a.html", "<script>alert(1)</script>", Shape.TEXT),
        ("a.svg", "<svg onload='alert(1)'/>", Shape.TEXT),
        ("a.log", "day 0", Shape.TEXT),
        ("a.png", None, Shape.IMAGE),
        ("a.exe", None, Shape.BINARY),
    ],
)
def test_the_name_and_the_content_decide_how_it_is_shown(
    name: str, text: str | None, shape: Shape
) -> None:
    assert of(name, text).shape is shape


def test_an_empty_file_is_said_to_be_empty() -> None:
    assert of("a.csv", "", size=0).shape is Shape.EMPTY


def test_a_large_picture_is_not_shown() -> None:
    assert of("a.png", None, size=IMAGE_BYTES).shape is Shape.IMAGE
    assert of("a.png", None, size=IMAGE_BYTES + 1).shape is Shape.BINARY


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (b"\x89PNG\r\n\x1a\n...", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"<svg xmlns=", None),
        (b"<html>", None),
        (b"", None),
    ],
)
def test_the_bytes_decide_what_a_picture_is(head: bytes, media_type: str | None) -> None:
    assert image_type(head) == media_type


class TestJson:
    @given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
    def test_the_value_stays_the_same(self, value: object) -> None:
        text = json.dumps(value)
        assert json.dumps(json.loads(indented(text, TEXT_BYTES))) == text

    def test_each_value_has_a_line(self) -> None:
        assert indented('{"a":[1,{}],"b":"x, y"}', TEXT_BYTES) == (
            '{\n  "a": [\n    1,\n    {}\n  ],\n  "b": "x, y"\n}'
        )

    @pytest.mark.parametrize(
        "text", ['{"a": 1, "a": 2}', '{"a": 1.10, "b": 1e400}', '{"a": [1, 2', '{"a": "x', "]]}"]
    )
    def test_nothing_is_lost_of_what_a_parser_refuses_or_changes(self, text: str) -> None:
        assert "".join(indented(text, TEXT_BYTES).split()) == "".join(text.split())

    def test_deep_nesting_is_harmless(self) -> None:
        page = of("a.json", "[" * 100_000)
        assert (page.is_whole, page.is_shortened) == (False, True)
        assert 0 < len(page.text) <= TEXT_BYTES


@pytest.mark.parametrize("character", ['"', "\x01", "\U000e0001", "\N{GREEK SMALL LETTER PI}", "["])
@pytest.mark.parametrize("name", ["a.json", "a.log"])
def test_a_text_is_bounded_as_html(name: str, character: str) -> None:
    # Given as many characters as a preview may have bytes
    page = of(name, character * MAX_PREVIEW)
    # Then the page says that it has left some out
    assert 0 < len(page.text.encode()) <= TEXT_BYTES
    assert page.is_shortened is not page.is_whole


class TestTable:
    def test_the_first_row_names_the_columns(self) -> None:
        table = table_of("day,place\n1,north\n2,south\n")
        assert [column.name for column in table.columns] == ["day", "place"]
        assert [column.is_number for column in table.columns] == [True, False]
        assert table.rows == [["1", "north"], ["2", "south"]]

    def test_a_first_row_with_numbers_is_no_header(self) -> None:
        table = table_of("1,2\n3,4\n")
        assert [column.name for column in table.columns] == ["column 1", "column 2"]
        assert table.rows_read == 2

    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    def test_the_first_line_tells_the_delimiter(self, delimiter: str) -> None:
        table = table_of(f"a{delimiter}b\n1{delimiter}2\n")
        assert table.rows == [["1", "2"]]

    def test_rows_of_other_lengths_are_filled_up(self) -> None:
        table = table_of("a,b\n1\n1,2,3\n")
        assert table.rows == [["1", "", ""], ["1", "2", "3"]]

    def test_a_line_that_may_be_cut_off_is_left_out(self) -> None:
        assert table_of("a,b\n1,2\n3,44", is_whole=False).rows == [["1", "2"]]
        assert table_of("a,b\n1,2\n3,44").rows == [["1", "2"], ["3", "44"]]

    def test_a_large_table_is_limited(self) -> None:
        # Given more columns and rows than a page takes
        columns, rows = COLUMNS_SHOWN + 5, ROWS_SHOWN + 5
        text = "\n".join([",".join(map(str, range(columns)))] * rows)
        # When
        table = table_of(text)
        # Then
        assert (len(table.columns), len(table.rows)) == (COLUMNS_SHOWN, ROWS_SHOWN)
        assert (table.more_columns, table.rows_read) == (5, rows)
        assert table.chart is not None
        assert len(table.chart.lines) == LINES_DRAWN
        assert table.chart.left_out == COLUMNS_SHOWN - 1 - LINES_DRAWN

    def test_a_table_as_wide_as_it_is_long_is_limited(self) -> None:
        # Given a table whose cells would be 4,300 million if each row had them all
        width = 65_535
        text = ",".join(["a"] * width) + "\n" + "1\n" * (width + 1)
        # When
        table = table_of(text)
        # Then
        assert {len(row) for row in table.rows} == {len(table.columns)} == {COLUMNS_SHOWN}
        assert (table.more_columns, table.rows_read) == (width - COLUMNS_SHOWN, ROWS_READ - 1)

    @pytest.mark.parametrize("cell", ["9" * 100_000, f"1e{'0' * 100_000}"])
    def test_a_very_long_number_is_text(self, cell: str) -> None:
        assert not table_of(f"a,b\n1,{cell}\n").columns[1].is_number

    @pytest.mark.parametrize("text", ["", "\n\n", "no columns\n", f"a,{'x' * 200_000}"])
    def test_what_is_no_table_is_none(self, text: str) -> None:
        assert read_table(text, is_whole=True) is None


class TestPlot:
    def test_the_numeric_columns_are_drawn_over_the_first(self) -> None:
        chart = table_of("day,place,cases\n0,north,10\n10,south,30\n5,east,20\n").chart
        assert chart is not None
        assert [line.name for line in chart.lines] == ["cases"]
        # Then in the order of the first column
        assert chart.lines[0].parts == ["0.0,100.0 300.0,50.0 600.0,0.0"]
        assert (chart.first, chart.last) == ("0", "10")
        assert (chart.bottom, chart.top) == ("10", "30")

    def test_a_missing_value_breaks_the_line(self) -> None:
        chart = table_of("day,cases\n0,1\n1,\n2,3\n3,nan\n4,5\n").chart
        assert chart is not None
        assert len(chart.lines[0].parts) == 3

    def test_times_are_drawn_to_scale(self) -> None:
        chart = table_of("day,cases\n2026-01-01,1\n2026-01-02,2\n2026-01-05,3\n").chart
        assert chart is not None
        assert chart.lines[0].parts == ["0.0,100.0 150.0,50.0 600.0,0.0"]

    def test_words_are_drawn_in_their_order(self) -> None:
        chart = table_of("place,cases\nnorth,1\nsouth,2\neast,3\n").chart
        assert chart is not None
        assert (chart.first, chart.last) == ("north", "east")

    @pytest.mark.parametrize("text", ["a,b\n1,x\n2,y\n", "a,b\n1,2\n", "a,b\n"])
    def test_without_two_rows_of_numbers_nothing_is_drawn(self, text: str) -> None:
        assert table_of(text).chart is None

    @given(st.lists(st.tuples(st.floats(), st.floats()), min_size=2, max_size=30))
    def test_every_point_is_inside(self, points: list[tuple[float, float]]) -> None:
        # Given infinite values, and values whose difference is infinite
        text = "a,b\n" + "".join(f"{x},{y}\n" for x, y in points)
        # When
        chart = table_of(text).chart
        # Then
        for line in chart.lines if chart else ():
            for point in " ".join(line.parts).split():
                x, y = map(float, point.split(","))
                assert 0 <= x <= 600
                assert 0 <= y <= 100
