"""Pictures inside the page: small enough together, and the same bytes each time."""

import base64
import io
from pathlib import Path

from PIL import Image

WIDEST = 1600  # px; pictures are drawn to be read at 1200
LARGEST = 900_000  # bytes of one picture: five of them and the charts stay below 8 MB in base64
QUALITIES = (92, 85, 75, 60, 40)  # of JPEG: the first that is small enough


def uri(kind: str, content: bytes) -> str:
    """A data URI of a media type."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def embed(path: Path) -> str:
    """A picture file as a data URI: PNG as it is where it is small, otherwise JPEG."""
    content = path.read_bytes()
    if len(content) <= LARGEST // 2:
        return uri("image/png", content)
    with Image.open(path) as opened:
        picture = flat(opened)
    for quality in QUALITIES:
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=quality, subsampling=0)
        if buffer.tell() <= LARGEST:
            break
    return uri("image/jpeg", buffer.getvalue())


def flat(picture: Image.Image) -> Image.Image:
    """RGB, on white where it is transparent, at most WIDEST px wide."""
    layered = picture.convert("RGBA")
    whole = Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered).convert("RGB")
    height = round(whole.height * WIDEST / whole.width)
    return whole.resize((WIDEST, height), Image.Resampling.LANCZOS) if whole.width > WIDEST else whole
