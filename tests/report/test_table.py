"""Tables: figures with their intervals, rows that say why they are short, and markup that stays text."""

import math

import pytest

from skinlesion.report.markup import element
from skinlesion.report.table import Estimate, Table, count, html, markdown, number

NAN = math.nan
TABLE = Table(
    "Some", ("Name", "n", "a", "b"), [("one", "3", Estimate(0.5, 0.4, 0.61), "0.100"), ("two", "0", "absent")]
)


@pytest.mark.parametrize(
    ("estimate", "written"),
    [
        (Estimate(0.8125, 0.71, 0.894), "0.812 (0.71 to 0.89)"),
        (Estimate(0.8125), "0.812"),
        (Estimate(0.8125, NAN, NAN), "0.812"),
        (Estimate(0.8125, None, None), "0.812"),
        (Estimate(NAN, NAN, NAN), "-"),
        (Estimate(None, 0.1, 0.2), "-"),
        (Estimate(0.0, 0.0, 0.0), "0.000 (0.00 to 0.00)"),
    ],
)
def test_an_estimate_is_written_with_the_interval_that_it_has(estimate: Estimate, written: str) -> None:
    assert str(estimate) == written


def test_figures_that_are_missing_are_a_dash() -> None:
    assert (number(NAN), number(None), number(2, 1), count(NAN), count(10015.0)) == ("-", "-", "2.0", "-", "10,015")


def test_a_short_row_fills_the_table() -> None:
    found = html(TABLE)
    assert "<td>0.500 <small>0.40 to 0.61</small></td>" in found
    assert '<td colspan="2" class="why">absent</td>' in found


def test_markdown_has_equally_many_cells_in_every_row() -> None:
    assert markdown(TABLE) == (
        "| Name | n | a | b |\n| --- | ---: | ---: | ---: |\n"
        "| one | 3 | 0.500 (0.40 to 0.61) | 0.100 |\n| two | 0 | absent |  |"
    )


def test_text_is_never_taken_for_markup() -> None:
    assert element("p", '<b>"&', element("i", "a"), title='"<') == (
        '<p title="&quot;&lt;">&lt;b&gt;&quot;&amp;<i>a</i></p>'
    )
    assert "&lt;script&gt;" in html(Table("<script>", ("a",), []))
