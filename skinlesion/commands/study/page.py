"""The results page: its tables and figures stand between comments, and are written from recorded results alone.

`<!-- table: NAME -->` or `<!-- figure: NAME -->` begins a part, `<!-- end -->` ends it; all else is written by hand.
"""

import re
from collections.abc import Callable
from numbers import Integral
from pathlib import Path
from typing import Any

import pandas as pd

from skinlesion.commands.compare.paired import Difference
from skinlesion.commands.study import details, inflation, listed, overview
from skinlesion.commands.study.content import SETS, Content
from skinlesion.commands.study.drawings import FIGURES
from skinlesion.commands.study.recorded import read_results, score
from skinlesion.core import tables
from skinlesion.report.table import NONE, Estimate, Table, count, markdown, missing, number
from skinlesion.report.wording import name_measure
from skinlesion.runtime.errors import UserError
from skinlesion.runtime.files import replace_folder, write_text

PART = re.compile(r"(<!-- (table|figure): (\w+) -->).*?(<!-- end -->)", re.DOTALL)
TABLES: dict[str, Callable[[Content], pd.DataFrame]] = {
    table.__name__: table
    for table in (
        *(overview.systems, overview.short, overview.runs),
        *(details.classes, details.leakage, details.differences, details.calibration, details.risk_coverage),
        *(details.subgroups, details.floors),
    )
}
EMPTY = "\nNo run of it has finished.\n\n"


def write(plan: Path, page: Path, *others: Path) -> list[Path]:
    """Write the parts of all pages, and beside the first a folder with each table as CSV and each figure.

    Returns what it wrote. Raises UserError for a part of another name, or a plan or page that is missing.
    """
    study = listed.read(plan)
    results = read_results(plan.parent, study)
    sets = {(name, split): result.select(split) for name, result in results.items() for split in SETS}
    scores = {key: score(rows, study) for key, rows in sets.items() if len(rows)}
    content = Content(plan.as_posix(), study, results, scores, inflation.measure(results, study))
    texts = {path: read(path) for path in (page, *others)}
    folder, parts = page.with_suffix(""), {}
    if folder.resolve() == plan.parent.resolve():
        raise UserError(f"The tables of {page} would replace the record in {folder}. Give the page another name")
    with replace_folder(folder) as target:
        for name, make in TABLES.items():
            if len(table := make(content)):
                tables.write(target / f"{name}.csv", widen(table), float_format="%.6g")
            parts["table", name] = f"\n{describe(table)}\n\n" if len(table) else EMPTY
        for name, draw in FIGURES.items():
            if drawn := draw(content):
                (target / f"{name}.svg").write_bytes(drawn[0])
            parts["figure", name] = f"\n![{drawn[1]}]({folder.name}/{name}.svg)\n\n" if drawn else EMPTY
        texts = {path: fill(text, parts, path) for path, text in texts.items()}
    for path, text in texts.items():
        write_text(path, text)
    return [*texts, folder]


def read(page: Path) -> str:
    try:
        return page.read_text(encoding="utf-8")
    except FileNotFoundError:
        remedy = "Write it with parts such as <!-- table: systems --> <!-- end -->"
        raise UserError(f"{page} is missing. {remedy}") from None


def fill(text: str, parts: dict[tuple[str, str], str], page: Path) -> str:
    """Replace what stands in each part of a page; raise UserError for one of another name."""

    def replace(match: re.Match[str]) -> str:
        first, kind, name, last = match.groups()
        if (kind, name) not in parts:
            known = ", ".join(other for of_kind, other in parts if of_kind == kind)
            raise UserError(f"{page} has a part for the unknown {kind} {name!r}. Known: {known}")
        return f"{first}\n{parts[kind, name]}{last}"

    return PART.sub(replace, text)


def describe(table: pd.DataFrame) -> str:
    """Write a table in Markdown; a cell of several values names them once, in the header."""
    heads = []
    for name in table:
        keys = next((list(cell) for cell in table[name] if isinstance(cell, dict)), [])
        heads.append(f"{name}: {' / '.join(map(name_measure, keys))}" if keys else name)
    rows = [tuple(map(describe_cell, row)) for row in table.itertuples(index=False)]
    return markdown(Table("", tuple(heads), rows, words=len(heads)))


def describe_cell(cell: Any) -> str:
    if isinstance(cell, dict):
        return " / ".join(map(describe_cell, cell.values()))
    if missing(cell):
        return NONE
    return number(cell) if isinstance(cell, float) else count(cell) if isinstance(cell, Integral) else str(cell)


def widen(table: pd.DataFrame) -> pd.DataFrame:
    """Give each number of a cell a column of its own, with `low` and `high` for an interval."""
    return pd.DataFrame([dict(widen_row(row)) for row in table.to_dict("records")])


def widen_row(row: dict[str, Any]) -> list[tuple[str, Any]]:
    wide = []
    for name, cell in row.items():
        if isinstance(cell, dict):
            wide += widen_row({f"{name} {key}": value for key, value in cell.items()})
        elif isinstance(cell, Estimate | Difference):
            value = cell.value if isinstance(cell, Estimate) else cell.b - cell.a
            wide += [(name, value), (f"{name} low", cell.low), (f"{name} high", cell.high)]
        else:
            wide.append((name, cell))
    return wide
