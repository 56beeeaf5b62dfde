"""What people send, as a picture; or a sentence that says why not."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from skinlesion.core import images
from skinlesion.runtime.errors import UserError

MOST_BYTES = 20 * 2**20
MOST_PIXELS = 50_000_000  # decoded they take 150 MB
FORMATS = ("JPEG", "PNG", "WebP", "BMP", "TIFF", "GIF")  # none that Pillow would start another program for
TOO_LARGE = f"The file is larger than {MOST_BYTES // 2**20} MB. Send a smaller copy of the image."
NOT_SENT = "This is no file that was uploaded here."


@dataclass(frozen=True)
class Upload:
    """A picture that could be decoded: the file, and RGB uint8 (H, W, 3), upright."""

    file: io.BytesIO
    image: np.ndarray


def place(named: str | None, folder: Path) -> Path | None:
    """The upload that a browser names, which lies in a folder below `folder`; None where it is anything else."""
    path = Path(named or "").resolve()
    return path if folder.resolve() in path.parent.parents and path.is_file() else None


def read(sent: Path | bytes) -> Upload:
    """Decode an upload, a file or its bytes.

    Raises:
        UserError: it is too large, no picture, of too many pixels or damaged; the message is a sentence for people and
            names no path of this machine.
    """
    if (sent.stat().st_size if isinstance(sent, Path) else len(sent)) > MOST_BYTES:
        raise UserError(TOO_LARGE)
    file = io.BytesIO(sent.read_bytes() if isinstance(sent, Path) else sent)
    try:
        with Image.open(file, formats=FORMATS) as picture:
            width, height = picture.size
    except Exception:  # from here on it is anyone's bytes, and Pillow raises nearly anything
        raise UserError(
            f"This file is no picture that can be read here. What can be read: {', '.join(FORMATS)}."
        ) from None
    if width * height > MOST_PIXELS:
        raise UserError(
            f"The image has {width} x {height} pixels, more than {MOST_PIXELS // 10**6} million. Send a smaller copy."
        )
    try:
        return Upload(file, images.read(file))
    except images.BadImage:
        raise UserError("The picture is damaged: it could not be read to its end. Send it once more.") from None
