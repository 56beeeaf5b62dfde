"""Tables: numbers with their intervals, remarks in short rows, and escaped text."""

import math

import pytest

from skinlesion.report.table import Estimate, Table, count, html, markdown, number

NAN = math.nan
ROWS = [("one", "3", Estimate(0.5, 0.4, 0.61), "0.100"), ("two", "0", "absent")]
TABLE = Table("Some", ("Name", "n", "a", "b"), ROWS)


@pytest.mark.parametrize(
    ("estimate", "written"),
    [
        (Estimate(0.8125, 0.71, 0.894), "0.812 (0.71 to 0.89)"),
        (Estimate(0.8125), "0.812"),
        (Estimate(0.8125, NAN, NAN), "0.812"),
        (Estimate(NAN, NAN, NAN), "-"),
        (Estimate(None, 0.1, 0.2), "-"),
        (Estimate(0.0, 0.0, 0.0), "0.000 (0.00 to 0.00)"),
    ],
)
def test_an_estimate_is_written_with_the_interval_that_exists(estimate: Estimate, written: str) -> None:
    assert str(estimate) == written


def test_missing_numbers_are_a_dash() -> None:
    assert (number(NAN), number(None), number(2, 1), count(NAN), count(10015.0)) == ("-", "-", "2.0", "-", "10,015")


def test_html_has_intervals_and_a_remark_that_spans_missing_cells() -> None:
    text = html(TABLE)
    assert "<td>0.500 <small>0.40 to 0.61</small></td><td>0.100</td></tr>" in text
    assert '<td>0</td><td colspan="2" class="why">absent</td></tr>' in text


def test_markdown_has_the_same_number_of_cells_in_every_row() -> None:
    assert markdown(TABLE) == (
        "| Name | n | a | b |\n| --- | ---: | ---: | ---: |\n"
        "| one | 3 | 0.500 (0.40 to 0.61) | 0.100 |\n| two | 0 | absent |  |"
    )


def test_text_is_never_markup() -> None:
    assert "<script" not in html(Table("<script>", ("<script>",), [("<script>", Estimate(0.5)), ("a", "<script>")]))
