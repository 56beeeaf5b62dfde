"""Any picture file becomes upright RGB, a damaged one is refused, and PNG loses nothing.

tests/chain/test_bad_inputs.py has the refusals, one by one.
"""

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps, PngImagePlugin

from skinlesion.core import images

Noise = Callable[..., np.ndarray]
LEFT, RIGHT = (200, 40, 40), (30, 60, 190)
GREY_LEFT, GREY_RIGHT = 88, 66  # 0.299 R + 0.587 G + 0.114 B


def two_halves(height: int, width: int) -> np.ndarray:
    """The left half in one colour, the right half in another."""
    image = np.empty((height, width, 3), np.uint8)
    image[:, : width // 2], image[:, width // 2 :] = LEFT, RIGHT
    return image


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK", "YCbCr", "P", "RGBA"])
def test_every_mode_becomes_rgb(mode: str, tmp_path: Path) -> None:
    picture = Image.fromarray(two_halves(24, 32))
    picture = picture.quantize(2) if mode == "P" else picture.convert(mode)
    path = tmp_path / ("x.png" if mode in {"P", "RGBA"} else "x.jpg")
    picture.save(path, quality=100)
    image = images.read(path)
    assert image.shape == (24, 32, 3)
    assert image.dtype == np.uint8
    left, right = (GREY_LEFT, GREY_RIGHT) if mode == "L" else (LEFT, RIGHT)
    assert np.abs(image[12, 4].astype(int) - left).max() <= 4
    assert np.abs(image[12, 27].astype(int) - right).max() <= 4


def test_transparency_is_dropped(tmp_path: Path) -> None:
    content = np.dstack([two_halves(8, 8), np.full((8, 8), 128, np.uint8)])
    Image.fromarray(content).save(tmp_path / "x.png")
    np.testing.assert_array_equal(images.read(tmp_path / "x.png"), two_halves(8, 8))


@pytest.mark.parametrize(
    ("orientation", "upright"),
    {
        1: lambda stored: stored,
        2: np.fliplr,
        3: lambda stored: np.rot90(stored, 2),
        4: np.flipud,
        5: lambda stored: stored.transpose(1, 0, 2),
        6: lambda stored: np.rot90(stored, -1),
        7: lambda stored: np.rot90(stored, 2).transpose(1, 0, 2),
        8: lambda stored: np.rot90(stored, 1),
    }.items(),
)
def test_pictures_are_turned_upright(orientation: int, upright: Callable, tmp_path: Path, noise: Noise) -> None:
    """Whatever their suffix; the width and height of a square's picture are those of the upright one."""
    stored = noise(0, 24, 32)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = written(tmp_path / "x.jpg", Image.fromarray(stored), "PNG", exif=exif)
    np.testing.assert_array_equal(images.read(path), upright(stored))
    assert images.square(path, 16, "stretch")[1] == upright(stored).shape[1::-1]


def written(path: Path, picture: Image.Image, kind: str, **options: object) -> Path:
    picture.save(path, kind, **options)
    return path


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bits_are_scaled_to_8(kind: str, tmp_path: Path) -> None:
    values = np.linspace(0, 65535, 256 * 4).astype(np.uint16).reshape(32, 32)
    image = images.read(written(tmp_path / "x", Image.fromarray(values), kind))
    np.testing.assert_array_equal(image, np.dstack([values // 256] * 3))


def test_16_bits_in_colour_are_scaled_to_8(tmp_path: Path) -> None:
    colours = np.random.default_rng(0).integers(0, 65536, (8, 9, 3), dtype=np.uint16)
    cv2.imwrite(str(tmp_path / "x.png"), colours[..., ::-1])
    np.testing.assert_array_equal(images.read(tmp_path / "x.png"), colours // 256)


def test_progressive_is_read_as_baseline_is(tmp_path: Path, noise: Noise) -> None:
    picture = Image.fromarray(noise(0))
    read = [images.read(written(tmp_path / "x.jpg", picture, "JPEG", progressive=way)) for way in (True, False)]
    np.testing.assert_array_equal(*read)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_an_animation_the_first_picture_is_read(kind: str, tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in (LEFT, RIGHT)]
    options = {"lossless": True} if kind == "WEBP" else {}
    path = written(tmp_path / "x", frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert (images.read(path) == LEFT).all()


@pytest.mark.filterwarnings("error")
def test_a_transparent_palette_keeps_its_colours(tmp_path: Path) -> None:
    picture = Image.fromarray(two_halves(8, 8)).quantize(2)
    path = written(tmp_path / "x.png", picture, "PNG", transparency=bytes([0, 255]))
    np.testing.assert_array_equal(images.read(path), two_halves(8, 8))


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_too_many_pixels_are_refused_before_they_take_memory(tmp_path: Path) -> None:
    Image.new("1", (7072, 7072)).save(tmp_path / "x.png")
    tracemalloc.start()
    try:
        with pytest.raises(images.BadImage, match=r"x\.png.*50 million"):
            images.read(tmp_path / "x.png")
        assert tracemalloc.get_traced_memory()[1] < 10**7
    finally:
        tracemalloc.stop()


@pytest.mark.filterwarnings("ignore")
def test_no_damage_escapes_as_another_error(tmp_path: Path, noise: Noise, jpeg: Callable) -> None:
    """Bytes changed at random in files of several formats: the picture is read, or refused."""
    random = np.random.default_rng(0)
    path = tmp_path / "x.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    contents = [jpeg(noise(0, 8, 8))]
    for kind in ("PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP"):
        Image.fromarray(noise(0, 8, 8)).save(path, kind, exif=exif)
        contents.append(path.read_bytes())
    refused = 0
    for content in contents * 30:
        spoiled = bytearray(content)
        for place in random.integers(0, min(len(content), 300), 5):
            spoiled[place] = random.integers(0, 256)
        path.write_bytes(spoiled)
        try:
            images.read(path)
        except images.BadImage:
            refused += 1
    assert 0 < refused < 30 * len(contents)


def test_png_loses_nothing_and_keeps_the_channels(tmp_path: Path, noise: Noise) -> None:
    image = noise(3)
    image[0, 0] = (255, 0, 7)
    images.write_png(tmp_path / "x.png", image)
    np.testing.assert_array_equal(images.read(tmp_path / "x.png"), image)
    assert Image.open(tmp_path / "x.png").getpixel((0, 0)) == (255, 0, 7)


def test_a_png_that_cannot_be_written_is_an_error(tmp_path: Path, noise: Noise) -> None:
    with pytest.raises(OSError, match="nowhere"):
        images.write_png(tmp_path / "nowhere" / "x.png", noise(0))


def test_crop_takes_the_centre_square_pixel_by_pixel(noise: Noise) -> None:
    wide, high = noise(0, 30, 40), noise(0, 40, 30)
    assert images.fit(noise(0, 20, 30), 32, "crop").shape == (32, 32, 3), "enlarged"
    np.testing.assert_array_equal(images.fit(wide, 30, "crop"), wide[:, 5:35])
    np.testing.assert_array_equal(images.fit(high, 30, "crop"), high[5:35])


def test_stretch_keeps_the_whole() -> None:
    """A stripe on each border is lost by crop and kept by stretch."""
    image = np.zeros((30, 60, 3), np.uint8)
    image[:, :6] = image[:, -6:] = 255
    assert images.fit(image, 30, "crop").max() == 0
    stretched = images.fit(image, 30, "stretch")
    assert (stretched[:, :3] == 255).all()
    assert (stretched[:, -3:] == 255).all()
    assert (stretched[:, 3:-3] == 0).all()


def test_shrinking_averages() -> None:
    """A board of single pixels becomes grey: none is picked, none lost (no aliasing)."""
    board = np.indices((64, 64)).sum(axis=0) % 2 * 255
    fitted = images.fit(np.dstack([board] * 3).astype(np.uint8), 32, "stretch")
    assert np.abs(fitted.astype(int) - 127.5).max() <= 1


def photograph(path: Path, height: int, width: int, kind: str | None = None, **options: object) -> Path:
    """Colours that change slowly, with the grain of a sensor, as a file; its suffix says its kind if none is given."""
    y, x = np.mgrid[:height, :width] / min(height, width)
    waves = np.stack([np.sin(9 * x + 4 * y), np.cos(5 * x - 7 * y), np.sin(8 * x * y)], axis=-1)
    grain = np.random.default_rng(0).normal(0, 2, waves.shape)
    return written(path, Image.fromarray((127 + 90 * waves + grain).clip(0, 255).astype(np.uint8)), kind, **options)


@pytest.mark.parametrize("how", ["crop", "stretch"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_square_is_made_of_the_whole_picture_at_its_full_size(kind: str, how: str, tmp_path: Path) -> None:
    """Not of a JPEG at reduced scale, which is quicker: other programs could not follow."""
    path = photograph(tmp_path / "x", 450, 600, kind=kind)
    square, shape = images.square(path, 32, how)
    np.testing.assert_array_equal(square, images.fit(by_pillow(path), 32, how))
    assert shape == (600, 450)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_only_exif_gives_an_orientation(kind: str, tmp_path: Path) -> None:
    """Pillow would also take it from XMP, which OpenCV and browsers do not."""
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    options = {"xmp": xmp}
    if kind == "PNG":
        options = {"pnginfo": PngImagePlugin.PngInfo()}
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", xmp.decode())
    path = photograph(tmp_path / "x", 90, 120, kind=kind, **options)
    with Image.open(path) as picture:
        assert picture.getexif()[0x0112] == 6, "Pillow takes it, else this test says nothing"
    assert images.read(path).shape == (90, 120, 3)


def by_pillow(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_a_jpeg_has_the_pixels_that_pillow_reads(subsampling: str, progressive: bool, tmp_path: Path) -> None:
    for height, width in ((225, 301), (97, 83), (7, 5), (2, 1)):
        path = photograph(tmp_path / "x.jpg", height, width, subsampling=subsampling, progressive=progressive)
        np.testing.assert_array_equal(images.read(path), by_pillow(path))


@pytest.mark.parametrize("kind", ["grey", "CMYK", "turned", "several pictures"])
def test_any_other_jpeg_is_read_as_pillow_reads_it(kind: str, tmp_path: Path) -> None:
    picture = Image.open(photograph(tmp_path / "x.jpg", 90, 120))
    exif = Image.Exif()
    exif[0x0112] = 6
    path = {
        "grey": lambda: written(tmp_path / "y.jpg", picture.convert("L"), "JPEG"),
        "CMYK": lambda: written(tmp_path / "y.jpg", picture.convert("CMYK"), "JPEG"),
        "turned": lambda: written(tmp_path / "y.jpg", picture, "JPEG", exif=exif),
        "several pictures": lambda: written(tmp_path / "y.jpg", picture, "MPO", save_all=True, append_images=[picture]),
    }[kind]()
    with Image.open(path) as opened:
        expected = np.asarray(ImageOps.exif_transpose(opened).convert("RGB"))
    np.testing.assert_array_equal(images.read(path), expected)


@pytest.mark.filterwarnings("ignore")
def test_a_damaged_jpeg_is_read_as_pillow_reads_it_or_refused_as_well(tmp_path: Path) -> None:
    content = photograph(tmp_path / "x.jpg", 32, 48).read_bytes()
    random = np.random.default_rng(0)
    path, read, refused = tmp_path / "y.jpg", 0, 0
    for place in random.integers(0, len(content), 300):
        spoiled = bytearray(content)
        spoiled[place] = random.integers(0, 256)
        path.write_bytes(spoiled)
        try:
            expected = by_pillow(path)
        except Exception:  # Pillow raises nearly anything
            refused += 1
            with pytest.raises(images.BadImage):
                images.read(path)
        else:
            read += 1
            np.testing.assert_array_equal(images.read(path), expected)
    assert read and refused
