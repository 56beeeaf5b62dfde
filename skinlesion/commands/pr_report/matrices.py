"""The confusion matrices of two sides as one HTML table, which GitHub renders in a comment."""

from collections import Counter

from skinlesion.commands.pr_report.sides import Side
from skinlesion.core.ham10000 import CODES
from skinlesion.report.markup import Markup, element


def html(base: Side, here: Side) -> str:
    """Rows are actual classes, columns predicted ones, test images counted; empty means none, bold is right."""
    sides = [side for side in (base, here) if side.predictions]
    seen = {code for side in sides for pair in side.predictions for code in pair}
    codes = [*CODES, *sorted(seen - set(CODES))]
    width = str(len(codes))
    top = element(
        "tr", element("th", "actual", rowspan="2"), *(element("th", heading(side), colspan=width) for side in sides)
    )
    # small, for two matrices to fit the width of a comment
    under = element("tr", *(element("th", element("sub", code)) for _ in sides for code in codes))
    counts = [Counter(side.predictions) for side in sides]
    rows = [
        element("tr", element("th", actual), *(cell(count, actual, code) for count in counts for code in codes))
        for actual in codes
    ]
    return element("table", *(Markup(f"\n{row}") for row in (top, under, *rows)), "\n")


def heading(side: Side) -> str:
    return f"{side.name}: predicted ({len(side.predictions)} test images)"


def cell(counts: Counter, actual: str, predicted: str) -> Markup:
    count = counts[actual, predicted]
    text = str(count) if count else ""
    return element("td", element("b", text) if count and actual == predicted else text, align="right")
