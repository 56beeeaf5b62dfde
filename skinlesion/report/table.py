"""A small table of words and figures, and the two ways that it is written: HTML for the page, Markdown for the card."""

import math
from dataclasses import dataclass

from skinlesion.report.markup import Markup, element, join

NONE = "-"
DENSE = 6  # columns; with more, intervals stand below their values


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95% interval; each may be missing (NaN or None)."""

    value: float | None
    low: float | None = None
    high: float | None = None

    @property
    def interval(self) -> str:
        """As `0.71 to 0.89`, empty where there is none."""
        return "" if missing(self.low) or missing(self.high) else f"{self.low:.2f} to {self.high:.2f}"

    def __str__(self) -> str:
        return number(self.value) + (f" ({self.interval})" if self.interval and not missing(self.value) else "")


Cell = str | Estimate


@dataclass(frozen=True)
class Table:
    """Rows of cells under `columns`; the first `words` columns hold words, the others figures.

    A row that is shorter than `columns` says why in its last cell, which takes the room of the cells that it lacks.
    """

    caption: str
    columns: tuple[str, ...]
    rows: list[tuple[Cell, ...]]
    words: int = 1


def missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def number(value: float | None, digits: int = 3) -> str:
    """A figure with so many digits, or a dash where there is none."""
    return NONE if missing(value) else f"{value:.{digits}f}"


def count(value: float) -> str:
    """As `10,015`."""
    return NONE if missing(value) else f"{int(value):,}"


def html(table: Table) -> Markup:
    """The table in a box of its own, inside of which it scrolls where the page is narrow."""
    head = element("tr", *(element("th", name, scope="col") for name in table.columns))
    body = element("tbody", *(html_row(row, table) for row in table.rows))
    caption = element("caption", table.caption)
    whole = element(
        "table",
        caption,
        element("thead", head),
        body,
        class_=f"words{table.words}" + (" dense" if len(table.columns) > DENSE else ""),
    )
    return element("div", whole, class_="scroll", tabindex="0", role="region", aria_label=table.caption)


def html_row(row: tuple[Cell, ...], table: Table) -> Markup:
    first, *others = row
    cells = [element("th", str(first), scope="row"), *(element("td", html_cell(cell)) for cell in others)]
    if len(row) < len(table.columns):
        room = str(len(table.columns) - len(row) + 1)
        cells[-1] = element("td", html_cell(row[-1]), colspan=room, class_="why")
    return element("tr", *cells)


def html_cell(cell: Cell) -> Markup:
    if isinstance(cell, str) or not cell.interval or missing(cell.value):
        return join(str(cell))
    return join(number(cell.value), " ", element("small", cell.interval))


def markdown(table: Table) -> str:
    """The table in GitHub's Markdown, without its caption."""
    empty = len(table.columns)
    rules = ["---"] * table.words + ["---:"] * (empty - table.words)
    rows = [[*map(str, row), *[""] * (empty - len(row))] for row in table.rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (table.columns, rules, *rows))
