"""Charts and pictures inside of the page: one style, data URIs, and the same bytes each time."""

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import matplotlib.style
from matplotlib.figure import Figure
from PIL import Image

STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#8a8f98",
    "axes.grid": True,
    "axes.labelcolor": "#333a44",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 11,
    "figure.constrained_layout.h_pad": 0.09,  # inches: between an axis and the legend below it
    "font.size": 10.5,
    "grid.color": "#e8eaee",
    "legend.frameon": False,
    "svg.fonttype": "path",  # the page looks the same with any installed fonts
    "svg.hashsalt": "skinlesion",  # ids inside of an SVG are random otherwise
    "text.color": "#1c2026",
    "xtick.color": "#4a515c",
    "ytick.color": "#4a515c",
}
LARGEST_PNG = 450_000  # bytes


@dataclass(frozen=True)
class Chart:
    """A chart as a data URI; alt describes it to readers who cannot see it."""

    title: str
    uri: str
    alt: str
    kind: str  # wide: scrolls on narrow screens instead of shrinking


def draw_chart(
    title: str, alt: str, size: tuple[float, float], draw: Callable[[Figure], None], kind: str = ""
) -> Chart:
    """Draw a chart of `size` inches as SVG without a ground; `draw` fills the empty figure."""
    return Chart(title, encode_uri("image/svg+xml", draw_svg(size, draw, transparent=True)), alt, kind)


def draw_svg(size: tuple[float, float], draw: Callable[[Figure], None], transparent: bool = False) -> bytes:
    """Draw an SVG of `size` inches, on white or `transparent`; `draw` fills the empty figure."""
    buffer = io.BytesIO()
    with matplotlib.style.context(["default", STYLE]):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        options = {"metadata": {"Date": None, "Creator": None}, "transparent": transparent}
        figure.savefig(buffer, format="svg", bbox_inches="tight", pad_inches=0.06, **options)
    return buffer.getvalue()


def encode_uri(kind: str, content: bytes) -> str:
    """Encode bytes of a media type as a data URI."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def embed_picture(path: Path) -> str:
    """Encode a sheet as a data URI: a small PNG unchanged, otherwise as JPEG."""
    content = path.read_bytes()
    if len(content) <= LARGEST_PNG:
        return encode_uri("image/png", content)
    buffer = io.BytesIO()
    with Image.open(path) as sheet:
        sheet.save(buffer, "JPEG", quality=92, subsampling=0)
    return encode_uri("image/jpeg", buffer.getvalue())
