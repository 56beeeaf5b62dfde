"""Sheets: rows of pictures with captions, as one PNG of 1200 px width."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from skinlesion.runtime.files import replace_file

WIDTH, MARGIN, GAP, FRAME = 1200, 20, 12, 4  # px
WIDEST = 280  # px, of a picture in a short row
INK, GREY = "#1a1a1a", "#5c5c5c"
FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
TITLE, TEXT, CAPTION = ("DejaVuSans-Bold.ttf", 20), ("DejaVuSans.ttf", 14), ("DejaVuSans.ttf", 12)  # file, px
LEADING = 1.35  # height of a line, in heights of its font

Font = tuple[str, int]


@dataclass(frozen=True)
class Picture:
    """RGB uint8 (H, W, 3), its caption and the colour of its frame; the pictures of a sheet have one shape."""

    image: np.ndarray
    caption: str = ""
    frame: str | None = None


@dataclass(frozen=True)
class Row:
    """Pictures side by side, with a name to their left."""

    name: str
    pictures: list[Picture]


def write(rows: list[Row], path: Path, title: str, note: str = "") -> None:
    """Write a sheet as PNG, 1200 px wide and as high as it needs; equal sheets are equal bytes.

    Args:
        note: how to read the sheet, shown under the title; a sheet without rows has only these two.
    """
    names = max((text_width(row.name, TEXT) for row in rows), default=0)
    left = MARGIN + (names + GAP if names else 0)
    columns = max((len(row.pictures) for row in rows), default=1)
    width = min(WIDEST, (WIDTH - MARGIN - left + GAP) // columns - GAP)
    parts = [header(title, note), *(strip(row, left, width) for row in rows)]
    sheet = Image.new("RGB", (WIDTH, sum(part.height for part in parts) + MARGIN), "white")
    top = 0
    for part in parts:
        sheet.paste(part, (0, top))
        top += part.height
    with replace_file(path) as partial:
        sheet.save(partial, "PNG", optimize=True)


def header(title: str, note: str) -> Image.Image:
    """Draw the title and the note."""
    blocks = [
        (wrapped(title, TITLE, WIDTH - 2 * MARGIN), TITLE, INK),
        (wrapped(note, TEXT, WIDTH - 2 * MARGIN), TEXT, GREY),
    ]
    height = MARGIN + sum(len(lines) * line_height(font) for lines, font, _ in blocks) + GAP
    part = Image.new("RGB", (WIDTH, height), "white")
    top = MARGIN
    for lines, font, colour in blocks:
        top = write_lines(part, lines, font, (MARGIN, top), "la", colour)
    return part


def strip(row: Row, left: int, width: int) -> Image.Image:
    """Draw a row of the sheet: its pictures from x = `left` px on, `width` px wide, with their captions."""
    captions = [wrapped(picture.caption, CAPTION, width) for picture in row.pictures]
    images = [framed(picture, width) for picture in row.pictures]
    tallest = max(image.height for image in images)
    height = tallest + max(len(lines) for lines in captions) * line_height(CAPTION) + GAP
    part = Image.new("RGB", (WIDTH, height), "white")
    name = row.name.splitlines()
    write_lines(part, name, TEXT, (left - GAP, (tallest - len(name) * line_height(TEXT)) // 2), "ra", INK)
    for column, (image, lines) in enumerate(zip(images, captions, strict=True)):
        x = left + column * (width + GAP)
        part.paste(image, (x, 0))
        write_lines(part, lines, CAPTION, (x + width // 2, tallest + 2), "ma", INK)
    return part


def framed(picture: Picture, width: int) -> Image.Image:
    """Draw a picture `width` px wide, with its frame."""
    height = round(width * picture.image.shape[0] / picture.image.shape[1])
    image = Image.fromarray(picture.image).resize((width, height))  # in integers: cv2.resize differs between CPUs
    if picture.frame:
        ImageDraw.Draw(image).rectangle((0, 0, width - 1, height - 1), outline=picture.frame, width=FRAME)
    return image


def write_lines(part: Image.Image, lines: list[str], font: Font, at: tuple[int, int], anchor: str, colour: str) -> int:
    """Write lines downwards from (x, y) px; return the y below them."""
    pen, (x, y) = ImageDraw.Draw(part), at
    for line in lines:
        pen.text((x, y), line, colour, opened(font), anchor)
        y += line_height(font)
    return y


def wrapped(text: str, font: Font, width: int) -> list[str]:
    """Break `text` into lines of at most `width` px, between words and at its own line ends."""
    lines: list[str] = []
    for paragraph in text.splitlines():
        line = ""
        for word in paragraph.split(" "):
            longer = f"{line} {word}" if line else word
            if line and text_width(longer, font) > width:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return lines


def text_width(text: str, font: Font) -> int:
    """Return the width of the longest line, in px."""
    return max((round(opened(font).getlength(line)) for line in text.splitlines()), default=0)


def line_height(font: Font) -> int:
    return round(font[1] * LEADING)


@cache
def opened(font: Font) -> ImageFont.FreeTypeFont:
    """Open a font with FreeType's layout, which does not depend on libraries for complex scripts."""
    name, size = font
    return ImageFont.truetype(FONTS / name, size, layout_engine=ImageFont.Layout.BASIC)
