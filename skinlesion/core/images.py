"""Read, fit and write pictures: RGB, uint8, (height, width, 3) everywhere."""

import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from skinlesion.core.parallel import map_parallel
from skinlesion.runtime.errors import UserError

cv2.setNumThreads(1)  # the cores share the images, not the parts of one image
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")  # Pillow starts no other program for these
START_OF_SCAN, MOST_SCANS = b"\xff\xda", 100  # a genuine progressive JPEG has about ten
MOST_MEGAPIXELS = 50  # 150 MB decoded; HAM10000 has 0.27, the largest photographs of phones about 50
UPRIGHT = 1  # an EXIF orientation
XMP = ("xmp", "XML:com.adobe.xmp")  # keys of Pillow, which would take an orientation from there too
PNG = [
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_AVG),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY),
]  # on skin 20 to 33% faster than OpenCV's default, to write and to read, and 10% smaller
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # its limit is above ours


class BadImage(UserError):
    """A picture that cannot be decoded whole; the message gives its path and the reason."""


def read(source: Path | BytesIO) -> np.ndarray:
    """Decode a picture file to RGB uint8 (H, W, 3), turned upright by its EXIF orientation; the suffix is ignored.

    Transparency is dropped: the stored colours remain. Colour profiles are ignored. 16 bits are cut to the upper 8. Of
    an animation the first picture is read.

    Raises:
        BadImage: the file is empty, damaged, in none of FORMATS, larger than MOST_MEGAPIXELS, or in 32-bit grey, whose
            range is unknown. Size and scans are checked before the pixels are decoded.
    """
    try:
        with Image.open(source, formats=FORMATS) as picture:
            width, height = picture.size
            if width * height > MOST_MEGAPIXELS * 10**6:
                raise UserError(f"{width} x {height} pixels, more than {MOST_MEGAPIXELS} million")
            if picture.info.get("progressive"):
                check_scans(source)
            for name in XMP:
                picture.info.pop(name, None)
            return decode(picture)
    except UserError as error:
        reason = str(error)
    except UnidentifiedImageError:
        reason = "not a picture"
    except Image.DecompressionBombError:  # beyond twice Pillow's own limit
        reason = f"more than {MOST_MEGAPIXELS} million pixels"
    except Exception as error:  # damaged bytes make Pillow raise nearly anything
        reason = getattr(error, "strerror", None) or "damaged or cut short"
    raise BadImage(f"{source if isinstance(source, Path) else getattr(source, 'name', source)} ({reason})")


def square(source: Path | BytesIO, size: int, mode: str) -> tuple[np.ndarray, tuple[int, int]]:
    """Read a picture file, `fit` it to a square, and return it with its upright width and height in px."""
    image = read(source)
    height, width = image.shape[:2]
    return fit(image, size, mode), (width, height)


def write_squares(
    image_ids: Sequence[str], sources: Sequence[Path | Callable[[], BytesIO]], folder: Path, size: int, mode: str
) -> list[tuple[int, int] | BadImage]:
    """Write the `square` of each image as `folder`/<image_id>.png.

    Args:
        sources: the file of each image, or what opens it, in any thread.

    Returns:
        for each image its upright width and height in px, or why it cannot be read.
    """

    def resize(item: tuple[str, Path | Callable[[], BytesIO]]) -> tuple[int, int] | BadImage:
        image_id, source = item
        try:
            image, shape = square(source if isinstance(source, Path) else source(), size, mode)
        except BadImage as error:
            return error
        write_png(folder / f"{image_id}.png", image)
        return shape

    return map_parallel(resize, list(zip(image_ids, sources, strict=True)), "resizing")


def decode(picture: Image.Image) -> np.ndarray:
    """Return the pixels (H, W, 3) of an opened picture, upright.

    simplejpeg decodes ordinary JPEGs with the same library as Pillow, and copies the pixels two times less.
    """
    upright = picture.getexif().get(ExifTags.Base.Orientation, UPRIGHT) == UPRIGHT
    if picture.format == "JPEG" and picture.mode == "RGB" and upright:
        picture.fp.seek(0)
        with suppress(ValueError):  # where anything is wrong, Pillow decides what can be read
            return simplejpeg.decode_jpeg(picture.fp.read())
    ImageOps.exif_transpose(picture, in_place=True)
    return np.asarray(picture if picture.mode == "RGB" else to_rgb(picture))


def check_scans(source: Path | BytesIO) -> None:
    """Refuse a progressive JPEG of so many scans that decoding takes minutes."""
    content = source.read_bytes() if isinstance(source, Path) else source.getvalue()
    if (scans := content.count(START_OF_SCAN)) > MOST_SCANS:
        raise UserError(f"{scans} JPEG scans, more than {MOST_SCANS}")


def to_rgb(picture: Image.Image) -> Image.Image:
    """Return a picture of any mode as RGB; refuse one whose values have no known range."""
    if picture.mode.startswith("I;16"):  # Pillow would clip at 255
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8)).convert("RGB")
    if picture.mode in {"I", "F"}:
        raise UserError("32-bit grey values, whose range is not known")
    picture.info.pop("transparency", None)  # with a palette, Pillow warns
    return picture.convert("RGB")


def fit(image: np.ndarray, size: int, mode: str) -> np.ndarray:
    """Resize (H, W, 3) to (size, size, 3): `stretch` squeezes the whole image, `crop` takes the centre square.

    skinlesion/commands/export/formats.py writes these steps down for other programs: change both together. INTER_CUBIC
    is not used to enlarge: on x86 Intel's IPP computes it, and rounds differently on each type of CPU.
    """
    if mode == "crop":
        height, width = image.shape[:2]
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        image = image[top : top + side, left : left + side]
    enlarge = min(image.shape[:2]) < size
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR_EXACT if enlarge else cv2.INTER_AREA)


def write_png(path: Path, image: np.ndarray) -> None:
    """Write RGB uint8 (H, W, 3) as PNG, lossless."""
    _, encoded = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), PNG)
    path.write_bytes(encoded)  # cv2.imwrite reports success on a full disk
