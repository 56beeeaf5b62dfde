"""A sheet is as wide as it says, shows every picture whole in its place, and cuts no text."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skinlesion.core import images
from skinlesion.sheets import sheet
from skinlesion.sheets.sheet import Picture, Row

Noise = Callable[..., np.ndarray]
LONG = "rotate=+37.2 flip_horizontal flip_vertical zoom=1.030 shift=+0.031,-0.012 contrast=0.930 brightness=0.910"


def plain(colour: tuple[int, int, int], side: int = 40) -> np.ndarray:
    return np.full((side, side, 3), colour, np.uint8)


def test_equal_sheets_are_equal_bytes_without_a_date_or_a_program(tmp_path: Path, noise: Noise) -> None:
    rows = [
        Row("one", [Picture(noise(0), "words", "#ff0000")]),
        Row("three\nof them", [Picture(noise(number)) for number in (1, 2, 3)]),
    ]
    for name in ("sheet", "again"):
        sheet.write(rows, tmp_path / "a" / f"{name}.png", "Title", "A note")
    assert (tmp_path / "a" / "sheet.png").read_bytes() == (tmp_path / "a" / "again.png").read_bytes()
    assert Image.open(tmp_path / "a" / "sheet.png").info == {}
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["again.png", "sheet.png"]


@pytest.mark.parametrize("columns", [1, 4, 8])
def test_it_is_1200_px_wide_and_shows_every_picture(columns: int, tmp_path: Path) -> None:
    """Each picture has a colour of its own; all are found, equally large, in the order given."""
    colours = [(20 * index + 40, 5, 250) for index in range(columns)]
    sheet.write([Row("row", [Picture(plain(colour)) for colour in colours])], tmp_path / "x.png", "Title")
    drawn = images.read(tmp_path / "x.png")
    assert drawn.shape[1] == 1200
    places = [np.argwhere((drawn == colour).all(axis=2)) for colour in colours]
    areas = {len(place) for place in places}
    assert len(areas) == 1
    assert areas.pop() >= 100**2, "large enough to be looked at"
    lefts = [place[:, 1].min() for place in places]
    assert lefts == sorted(lefts)


def test_pictures_keep_their_shape(tmp_path: Path) -> None:
    wide = np.full((20, 60, 3), (9, 99, 199), np.uint8)
    sheet.write([Row("", [Picture(wide)])], tmp_path / "x.png", "Title")
    rows, columns = np.nonzero((images.read(tmp_path / "x.png") == (9, 99, 199)).all(axis=2))
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    assert width == pytest.approx(3 * height, abs=2)


def test_no_text_leaves_its_place(tmp_path: Path) -> None:
    """Long titles, notes and captions, and a long name: the outermost pixels stay white."""
    rows = [Row("a rather long name\nof two lines", [Picture(plain((0, 0, 255)), LONG) for _ in range(8)])] * 2
    sheet.write(rows, tmp_path / "x.png", "A long title " * 12, "A long note, with many words. " * 20)
    drawn = images.read(tmp_path / "x.png")
    edge = sheet.MARGIN // 2
    for border in (drawn[:edge], drawn[-edge:], drawn[:, :edge], drawn[:, -edge:]):
        assert (border == 255).all()


def test_lines_break_between_words_and_fit() -> None:
    lines = sheet.wrap(LONG, sheet.CAPTION, 160)
    assert lines.text.replace("\n", " ") == LONG
    assert lines.text.count("\n") >= 3
    assert sheet.measure(lines)[0] <= 160
    assert sheet.wrap("a\nb c", sheet.CAPTION, 160).text == "a\nb c"
    assert sheet.wrap("x" * 99, sheet.CAPTION, 160).text == "x" * 99, "a word is not broken"


def test_a_frame_has_its_colour_on_all_four_sides(tmp_path: Path) -> None:
    sheet.write([Row("", [Picture(plain((0, 0, 255)), frame="#00ff00")])], tmp_path / "x.png", "Title")
    drawn = images.read(tmp_path / "x.png")
    rows, columns = np.nonzero((drawn == (0, 255, 0)).all(axis=2))
    box = drawn[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    for side in (box[0], box[-1], box[:, 0], box[:, -1]):
        assert (side == (0, 255, 0)).all()
    assert (box[sheet.FRAME : -sheet.FRAME, sheet.FRAME : -sheet.FRAME] == (0, 0, 255)).all()


def test_the_fonts_have_every_sign_that_the_sheets_use() -> None:
    missing = np.asarray(sheet.CAPTION.getmask("\ue000"))
    for sign in "✓✗":
        assert sheet.CAPTION.getmask(sign).getbbox()
        assert np.asarray(sheet.CAPTION.getmask(sign)).tobytes() != missing.tobytes()


def test_a_sheet_without_rows_says_why(tmp_path: Path) -> None:
    sheet.write([], tmp_path / "x.png", "Title", "No mistakes.")
    drawn = images.read(tmp_path / "x.png")
    assert drawn.shape[1] == 1200
    assert (drawn < 128).any()
