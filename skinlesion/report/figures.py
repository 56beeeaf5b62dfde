"""How every chart of the report is drawn: one style, SVG without dates, the same bytes each time."""

import io
from collections.abc import Callable
from dataclasses import dataclass

import matplotlib.style
from matplotlib.figure import Figure

from skinlesion.report.pictures import uri

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
    "svg.fonttype": "path",  # the page looks the same whatever fonts its reader has
    "svg.hashsalt": "skinlesion",  # names inside of an SVG are random otherwise
    "text.color": "#1c2026",
    "xtick.color": "#4a515c",
    "ytick.color": "#4a515c",
}


@dataclass(frozen=True)
class Chart:
    """A chart or picture: its data URI, and what it shows for those who do not see it."""

    title: str
    uri: str
    alt: str
    kind: str | None = None  # wide, picture: to be scrolled, not squeezed, where the page is narrow
    caption: str = ""


def render(
    title: str, alt: str, size: tuple[float, float], draw: Callable[[Figure], None], kind: str | None = None
) -> Chart:
    """Draw a chart of `size` inches; `draw` fills the empty figure."""
    buffer = io.BytesIO()
    with matplotlib.style.context(["default", STYLE]):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        figure.savefig(
            buffer, format="svg", bbox_inches="tight", pad_inches=0.06, metadata={"Date": None, "Creator": None}
        )
    return Chart(title, uri("image/svg+xml", buffer.getvalue()), alt, kind)
