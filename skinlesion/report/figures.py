"""Charts and pictures inside of the page: one style, no other file, and the same bytes each time."""

import base64
import io
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import matplotlib.style
from matplotlib.figure import Figure
from PIL import Image

from skinlesion.core.ham10000 import COLOURS

INK, SOFT, LINE, BLUE = "#1c2026", "#59616d", "#dfe3e9", "#0072b2"
# -> the page's colours, which follow its colour scheme; all other colours must have contrast on white and on dark
THEMED = {
    **{INK: "var(--ink)", SOFT: "var(--soft)", LINE: "var(--line)", COLOURS["mel"]: "var(--ink)"},
    **{BLUE: f"light-dark({BLUE}, #3a9ad9)", COLOURS["nv"]: f"light-dark({COLOURS['nv']}, #b97f72)"},
}
STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#8a8f98",
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 11,
    "figure.constrained_layout.h_pad": 0.09,  # inches: between an axis and the legend below it
    "font.size": 10.5,
    "grid.color": LINE,
    "legend.frameon": False,
    "svg.fonttype": "path",  # the page looks the same with any installed fonts
    "svg.hashsalt": "skinlesion",  # ids inside of an SVG are random otherwise
    "text.color": INK,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
}
LARGEST_PNG = 450_000  # bytes


@dataclass(frozen=True)
class Chart:
    """A chart as an SVG element; alt describes it to readers who cannot see it."""

    title: str
    svg: str
    alt: str
    kind: str  # wide: scrolls on narrow screens instead of shrinking


def draw_chart(
    title: str, alt: str, size: tuple[float, float], draw: Callable[[Figure], None], kind: str = ""
) -> Chart:
    """Draw a chart of `size` inches; `draw` fills the empty figure. No two charts of a page have one title."""
    svg = draw_svg(size, draw, transparent=True).decode()
    return Chart(title, to_element(svg, f"c{zlib.crc32(title.encode()):x}"), alt, kind)


def to_element(svg: str, prefix: str) -> str:
    """Turn Matplotlib's SVG file into an element of the page: in its colours, with ids that start with `prefix`."""
    box, content = re.search(r'viewBox="[^"]*"', svg)[0], svg.split("</defs>", 1)[1]  # the first defs are a style
    content = re.sub(r"<!--.*?-->\n *", "", content, flags=re.DOTALL).replace("xlink:href", "href")
    content = re.sub(r'\b(id="|href="#|url\(#)', rf"\1{prefix}-", content)
    return f"<svg {box}>" + re.sub("|".join(THEMED), lambda colour: THEMED[colour[0]], content)


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
