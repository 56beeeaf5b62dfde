"""Uploads: files that browsers and programs send to the demo. They are untrusted input."""

import io
from pathlib import Path

import numpy as np

from skinlesion.core import images
from skinlesion.runtime.errors import UserError

MOST_BYTES = 20 * 2**20
FORMATS = ", ".join(images.FORMATS)


class Upload(io.BytesIO):
    def __repr__(self) -> str:  # images.read adds the reason
        return "The upload cannot be read"


def find_upload(named: str | None, folder: Path) -> Path | None:
    """Resolve a path that a browser sent, if it is a file in a subfolder of `folder`, where Gradio puts uploads."""
    path = Path(named or "").resolve()
    return path if folder.resolve() in path.parent.parents and path.is_file() else None


def decode(content: bytes) -> np.ndarray:
    """Decode an image file to RGB uint8 (H, W, 3), upright; raise UserError, which names no path, if that fails."""
    if not content:
        raise UserError(f"The upload is empty (0 bytes). Send an image file ({FORMATS}).")
    if len(content) > MOST_BYTES:
        raise UserError(f"The upload is larger than {MOST_BYTES // 2**20} MB. Send a smaller copy of the image.")
    try:
        return images.read(Upload(content))
    except images.BadImage as error:
        raise UserError(f"{str(error).rstrip('.')}. Send a whole image file ({FORMATS}).") from None
