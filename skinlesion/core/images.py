"""Reading, fitting and writing pictures: RGB, uint8, (height, width, 3) everywhere."""

import warnings
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from skinlesion.runtime.errors import UserError

cv2.setNumThreads(1)  # the images are spread over the cores, not the parts of one
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")  # none that Pillow would start another program for
START_OF_SCAN, MOST_SCANS = b"\xff\xda", 100  # a genuine progressive JPEG has about ten
MOST_MEGAPIXELS = 50  # decoded they take 150 MB; HAM10000's have 0.27, the largest photographs of phones about 50
UPRIGHT = 1  # an EXIF orientation
XMP = ("xmp", "XML:com.adobe.xmp")  # where Pillow keeps it, in which it would also look for an orientation
PNG = [
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_AVG),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY),
]  # a fifth to a third faster than as OpenCV sets it, to write and to read, and a tenth smaller, on skin
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # of a limit of Pillow's, above ours


class BadImage(UserError):
    """A picture that cannot be decoded whole; the message says which and why."""


def read(source: Path | BytesIO) -> np.ndarray:
    """Decode a picture file, whatever its suffix, to RGB uint8 (H, W, 3), turned upright as its EXIF orientation says.

    Always the whole picture at its full size. Transparency is dropped: the colours are those stored, over no
    background. Colour profiles are ignored. Of 16 bits the upper 8 count. Of an animation the first picture is read.

    Raises:
        BadImage: the file is empty, no picture of FORMATS, truncated or larger than MOST_MEGAPIXELS, or its values
            have no known range (32-bit grey); before memory for the pixels is taken, where that is possible.
    """
    try:
        with Image.open(source, formats=FORMATS) as picture:
            width, height = picture.size
            if width * height > MOST_MEGAPIXELS * 10**6:
                raise ValueError(f"{width} x {height} pixels, more than {MOST_MEGAPIXELS} million")
            if picture.info.get("progressive"):
                check_scans(source)
            for name in XMP:
                picture.info.pop(name, None)
            return pixels(picture)
    except UnidentifiedImageError:
        raise BadImage(f"{source} (not a picture)") from None
    except Image.DecompressionBombError:  # beyond twice Pillow's own limit
        raise BadImage(f"{source} (more than {MOST_MEGAPIXELS} million pixels)") from None
    except Exception as error:  # damaged bytes make Pillow raise nearly anything
        raise BadImage(f"{source} ({error})") from None


def square(source: Path | BytesIO, size: int, how: str) -> tuple[np.ndarray, tuple[int, int]]:
    """`read` a picture file and `fit` it; also give the width and height of the upright picture.

    Raises:
        BadImage: see `read`.
    """
    image = read(source)
    height, width = image.shape[:2]
    return fit(image, size, how), (width, height)


def orientation(picture: Image.Image) -> int:
    return picture.getexif().get(ExifTags.Base.Orientation, UPRIGHT)


def pixels(picture: Image.Image) -> np.ndarray:
    """An opened picture's pixels (H, W, 3), turned upright.

    An ordinary JPEG is decoded by simplejpeg: the same library decodes for Pillow, which copies twice more.
    """
    if picture.format == "JPEG" and picture.mode == "RGB" and orientation(picture) == UPRIGHT:
        picture.fp.seek(0)
        with suppress(ValueError):  # where anything is amiss, Pillow tells what can be read from what cannot
            return simplejpeg.decode_jpeg(picture.fp.read())
    ImageOps.exif_transpose(picture, in_place=True)
    return np.asarray(picture if picture.mode == "RGB" else to_rgb(picture))


def check_scans(source: Path | BytesIO) -> None:
    """ValueError for a progressive JPEG of so many scans that decoding would take minutes."""
    content = source.read_bytes() if isinstance(source, Path) else source.getvalue()
    if (scans := content.count(START_OF_SCAN)) > MOST_SCANS:
        raise ValueError(f"{scans} scans, more than {MOST_SCANS}")


def to_rgb(picture: Image.Image) -> Image.Image:
    """A decoded picture of any mode as RGB; ValueError where its values have no known range."""
    if picture.mode.startswith("I;16"):  # Pillow would clip at 255
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8)).convert("RGB")
    if picture.mode in {"I", "F"}:
        raise ValueError("32-bit grey values, of which the range is not known")
    picture.info.pop("transparency", None)  # of a palette; Pillow would warn
    return picture.convert("RGB")


def fit(image: np.ndarray, size: int, how: str) -> np.ndarray:
    """Bring (H, W, 3) to (size, size, 3): `stretch` squeezes the whole, `crop` takes the centre square.

    skinlesion/commands/export/formats.py writes these steps down for other programs: change both together. OpenCV's
    INTER_CUBIC is not used to enlarge: on x86 Intel's IPP computes it, and rounds differently on each kind of CPU.
    """
    if how == "crop":
        height, width = image.shape[:2]
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        image = image[top : top + side, left : left + side]
    enlarge = min(image.shape[:2]) < size
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR_EXACT if enlarge else cv2.INTER_AREA)


def write_png(path: Path, image: np.ndarray) -> None:
    """Write RGB uint8 (H, W, 3) as PNG, lossless."""
    _, encoded = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), PNG)
    path.write_bytes(encoded)  # cv2.imwrite says that all is well where the disk is full
