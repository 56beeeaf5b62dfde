"""Sheets: rows of pictures with captions, as one PNG of 1200 px width."""

from dataclasses import dataclass
from math import ceil
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.ImageText import Text

from skinlesion.runtime.files import replace_file

WIDTH, MARGIN, GAP, FRAME = 1200, 20, 12, 4  # px
WIDEST = 280  # px, of a picture in a short row
INK, GREY = "#1a1a1a", "#5c5c5c"


def open_font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """Open a font with FreeType's layout, which does not depend on libraries for complex scripts."""
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


TITLE, TEXT = open_font("DejaVuSans-Bold.ttf", 20), open_font("DejaVuSans.ttf", 14)
CAPTION = open_font("DejaVuSans.ttf", 12)


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
    names = max((measure(Text(row.name, TEXT))[0] for row in rows), default=0)
    left = MARGIN + (names + GAP if names else 0)
    columns = max((len(row.pictures) for row in rows), default=1)
    width = min(WIDEST, (WIDTH - MARGIN - left + GAP) // columns - GAP)
    margin = Image.new("RGB", (WIDTH, MARGIN), "white")
    sheet = np.vstack([header(title, note), *(strip(row, left, width) for row in rows), margin])
    with replace_file(path) as partial:
        Image.fromarray(sheet).save(partial, "PNG", optimize=True)


def header(title: str, note: str) -> Image.Image:
    """Draw the title and the note."""
    heading, lines = (wrap(text, font, WIDTH - 2 * MARGIN) for text, font in ((title, TITLE), (note, TEXT)))
    top = MARGIN + measure(heading)[1] + GAP // 2
    part = Image.new("RGB", (WIDTH, top + measure(lines)[1] + GAP), "white")
    pen = ImageDraw.Draw(part)
    pen.text((MARGIN, MARGIN), heading, INK)
    pen.text((MARGIN, top), lines, GREY)
    return part


def strip(row: Row, left: int, width: int) -> Image.Image:
    """Draw a row of the sheet: its pictures from x = `left` px on, `width` px wide, with their captions."""
    captions = [wrap(picture.caption, CAPTION, width) for picture in row.pictures]
    images = [framed(picture, width) for picture in row.pictures]
    tallest = max(image.height for image in images)
    height = tallest + max(measure(caption)[1] for caption in captions) + GAP
    part = Image.new("RGB", (WIDTH, height), "white")
    pen = ImageDraw.Draw(part)
    pen.text((left - GAP, tallest // 2), Text(row.name, TEXT), INK, anchor="rm", align="right")
    for column, (image, caption) in enumerate(zip(images, captions, strict=True)):
        x = left + column * (width + GAP)
        part.paste(image, (x, 0))
        pen.text((x + width // 2, tallest + 2), caption, INK, anchor="ma", align="center")
    return part


def framed(picture: Picture, width: int) -> Image.Image:
    """Draw a picture `width` px wide, with its frame."""
    height = round(width * picture.image.shape[0] / picture.image.shape[1])
    image = Image.fromarray(picture.image).resize((width, height))  # in integers: cv2.resize differs between CPUs
    if picture.frame:
        ImageDraw.Draw(image).rectangle((0, 0, width - 1, height - 1), outline=picture.frame, width=FRAME)
    return image


def wrap(text: str, font: ImageFont.FreeTypeFont, width: int) -> Text:
    """Break `text` into lines of at most `width` px, or of its widest word, between words and at its own line ends."""
    lines = Text(text, font)
    lines.wrap(max([width, *(font.getbbox(word)[2] for word in text.split())]))
    return lines


def measure(text: Text) -> tuple[int, int]:
    """Return the width and height of drawn text, in px."""
    _, _, right, bottom = text.get_bbox()
    return ceil(right), ceil(bottom)
