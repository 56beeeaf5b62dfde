"""Reading, fitting and writing pictures: RGB, uint8, (height, width, 3) everywhere."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from skinlesion.data.parallel import over_cores
from skinlesion.errors import UserError

cv2.setNumThreads(1)  # the images are spread over the cores, not the parts of one


class BadImage(UserError):
    """A picture that cannot be decoded whole; the message says which and why."""


def read(path: Path) -> np.ndarray:
    """Decode a picture file to RGB uint8 (H, W, 3), turned upright as its EXIF orientation says.

    Raises:
        BadImage: the file is empty, no picture, truncated or larger than Pillow's limit of pixels.
    """
    try:
        with Image.open(path) as picture:
            return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    except UnidentifiedImageError:
        raise BadImage(f"{path} (not a picture)") from None
    except Exception as error:  # damaged bytes make Pillow raise nearly anything
        raise BadImage(f"{path} ({error})") from None


def fit(image: np.ndarray, size: int, how: str) -> np.ndarray:
    """Bring (H, W, 3) to (size, size, 3): `stretch` squeezes the whole, `crop` takes the centre square."""
    if how == "crop":
        height, width = image.shape[:2]
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        image = image[top : top + side, left : left + side]
    shrinks = min(image.shape[:2]) >= size
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)


def write_png(path: Path, image: np.ndarray) -> None:
    """Write RGB uint8 (H, W, 3) as PNG, lossless, lightly compressed."""
    written = cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not written:
        raise OSError(f"{path} could not be written")


def load(files: list[str], doing: str) -> np.ndarray:
    """Read equally sized pictures into one uint8 array (N, H, W, 3), in the order of `files`."""
    first = read(Path(files[0]))
    images = np.empty((len(files), *first.shape), np.uint8)

    def fill(index: int) -> None:
        images[index] = read(Path(files[index]))

    over_cores(fill, range(len(files)), doing)
    return images
