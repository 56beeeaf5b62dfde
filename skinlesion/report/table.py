"""A table of words and metrics, written as HTML for the page and as Markdown for the model card and pull requests."""

import math
from dataclasses import dataclass
from pathlib import Path

import jinja2

NONE = "-"
TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    autoescape=jinja2.select_autoescape(["html.j2"]),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


@dataclass(frozen=True)
class Estimate:
    """A value with its 95% confidence interval; each may be missing (NaN or None)."""

    value: float | None
    low: float | None = None
    high: float | None = None

    @property
    def figure(self) -> str:
        return number(self.value)

    @property
    def interval(self) -> str:
        """As `0.71 to 0.89`; empty if the value or a limit is missing."""
        return "" if any(map(missing, (self.value, self.low, self.high))) else f"{self.low:.2f} to {self.high:.2f}"

    def __str__(self) -> str:
        return self.figure + (f" ({self.interval})" if self.interval else "")


Cell = str | Estimate


@dataclass(frozen=True)
class Table:
    """Rows of cells under `columns`; the first `words` columns contain words, the others numbers.

    The last cell of a row with too few cells is a remark, which spans the missing cells.
    """

    caption: str
    columns: tuple[str, ...]
    rows: list[tuple[Cell, ...]]
    words: int = 1


def missing(value: object) -> bool:
    """Whether a value is None or NaN."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def number(value: float | None, digits: int = 3) -> str:
    """Format a number with so many decimals; a dash if it is missing."""
    return NONE if missing(value) else f"{value:.{digits}f}"


def count(value: float) -> str:
    """Format a count as `10,015`; a dash if it is missing."""
    return NONE if missing(value) else f"{int(value):,}"


def html(table: Table) -> str:
    """Write the table as HTML that no template escapes again, in a box that scrolls on narrow screens."""
    return TEMPLATES.get_template("table.html.j2").module.write(table)


def markdown(table: Table) -> str:
    """Write the table in GitHub's Markdown, without its caption."""
    width = len(table.columns)
    rules = ["---"] * table.words + ["---:"] * (width - table.words)
    rows = [[*map(str, row), *[""] * (width - len(row))] for row in table.rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (table.columns, rules, *rows))
