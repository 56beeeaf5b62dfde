"""Pictures in the page: whole, and small enough together."""

import base64
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from skinlesion.report import pictures
from skinlesion.report.inputs import PICTURES


def decoded(uri: str) -> tuple[str, bytes]:
    kind, content = uri.removeprefix("data:").split(";base64,")
    return kind, base64.b64decode(content)


def test_a_small_picture_stays_as_it_is(tmp_path: Path) -> None:
    Image.new("RGB", (40, 30), "red").save(tmp_path / "small.png")
    assert decoded(pictures.embed(tmp_path / "small.png")) == ("image/png", (tmp_path / "small.png").read_bytes())


def test_a_large_one_gets_small_enough_and_keeps_its_shape(tmp_path: Path, noise: Callable) -> None:
    """Noise is what no method compresses."""
    Image.fromarray(noise(1, 1200, 2400)).save(tmp_path / "large.png")
    kind, content = decoded(pictures.embed(tmp_path / "large.png"))
    assert kind == "image/jpeg"
    assert len(content) <= pictures.LARGEST
    assert Image.open(io.BytesIO(content)).size == (1600, 800)


def test_what_is_transparent_becomes_white() -> None:
    assert pictures.flat(Image.new("RGBA", (2, 2), (255, 0, 0, 0))).getpixel((0, 0)) == (255, 255, 255)


def test_all_pictures_together_leave_room_for_the_charts() -> None:
    assert len(PICTURES) * pictures.LARGEST * 4 / 3 < 7e6


def test_colours_survive(tmp_path: Path, noise: Callable) -> None:
    """A red square on noise: still red within what JPEG loses."""
    image = noise(2, 800, 800)
    image[200:600, 200:600] = (200, 30, 40)
    Image.fromarray(image).save(tmp_path / "square.png")
    _, content = decoded(pictures.embed(tmp_path / "square.png"))
    shown = np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)
    assert np.abs(shown[220:580, 220:580] - [200, 30, 40]).max() < 40
