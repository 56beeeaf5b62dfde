"""Tables of text as people and spreadsheets write them, each row with the line of the file that it begins on."""

import codecs
import csv
import io
import re
from collections.abc import Sequence
from textwrap import shorten
from typing import NamedTuple

SEPARATORS = ",;\t"
NO_TEXT = "it is no text in UTF-8 or UTF-16"
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Row(NamedTuple):
    """The cells of a row by column, spaces at their ends off; `line` counts from 1."""

    line: int
    cells: dict[str, str]


def parse(content: bytes, columns: Sequence[str]) -> list[Row]:
    """Read a table with a header that has each of `columns` once, and maybe others.

    Cells are separated by commas, semicolons or tabs, whichever the header has most of.

    UTF-8, or UTF-16 behind its byte order mark; bytes that are neither stay in their cell as what is not printable.
    Spaces and capitals in column names, spaces and newlines in cells, blank rows, and blank cells behind the last
    column do not matter.

    Raises:
        ValueError: it is empty or no text, lacks a column or rows, a quote is not closed, or a row has more or fewer
            cells than the header.
    """
    text = decode(content)
    first = next((line for line in re.split(r"[\r\n]", text) if line.strip()), "")
    if not first.replace("\t", "").isprintable():
        raise ValueError(NO_TEXT)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(SEPARATORS, key=first.count), strict=True)
    records, line = [], 1
    try:
        for record in reader:
            cells = [" ".join(cell.split()) for cell in record]
            if any(cells):
                records.append((line, cells))
            line = reader.line_num + 1
    except csv.Error:
        what = f"the quotes of the row that begins in line {line} do not pair, or a cell is too long"
        raise ValueError(what) from None
    if not records:
        raise ValueError("it is empty")
    (_, header), *records = records
    header = [name.lower() for name in header]
    if not "".join(header).isprintable():
        raise ValueError(NO_TEXT)
    if wrong := [column for column in columns if header.count(column) != 1]:
        raise ValueError(
            f"it must have each of the columns {', '.join(columns)} once. Not so: {', '.join(wrong)}. "
            f"Found: {shorten(', '.join(header), 300)}"
        )
    if not records:
        raise ValueError("it has a header and no rows")
    return [Row(line, matched(line, header, cells)) for line, cells in records]


def decode(content: bytes) -> str:
    if content.startswith(UTF_16):
        try:
            return content.decode("utf-16")
        except UnicodeDecodeError as error:
            raise ValueError(f"it is no text in UTF-16: {error.reason} at byte {error.start}") from None
    return content.decode("utf-8-sig", errors="surrogateescape")


def matched(line: int, header: list[str], cells: list[str]) -> dict[str, str]:
    if len(cells) < len(header) or any(cells[len(header) :]):
        raise ValueError(f"line {line} has {len(cells)} cells, the header has {len(header)}")
    return dict(zip(header, cells, strict=False))
