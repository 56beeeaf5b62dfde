"""The chart of whom the images show: age, sex and site of each class, from the tables of explore."""

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from skinlesion.core.ham10000 import CODES
from skinlesion.report.bars import WRAPPED
from skinlesion.report.drawing import Chart, render
from skinlesion.report.inputs import Inputs

PANELS = {"age": ("age, in years", "viridis"), "sex": ("sex", "Set2"), "localization": ("site", "tab20")}  # -> colours
UNKNOWN, GREY = "unknown", "#c9cdd4"


def people(inputs: Inputs) -> Chart:
    """A bar per class and panel, the parts of its images with each value; they sum to 1."""

    def draw(figure: Figure) -> None:
        for axes, (name, (title, colours)) in zip(figure.subplots(1, 3, sharey=True), PANELS.items(), strict=True):
            stack(axes, shares(inputs.tables[name]), colours)
            axes.set(title=title, xlim=(0, 1), xticks=[0, 0.5, 1], xticklabels=["0", "50%", "100%"])

    alt = "Age, sex and site of the images of each class, as parts of the class."
    return render("Whom the images show", alt, (9.4, 5.4), draw, "wide")


def shares(table: pd.DataFrame) -> pd.DataFrame:
    """Parts of each class (rows, in the order of CODES) with each value (columns), the unknown ones last."""
    counts = table.pivot_table(index="dx", columns="value", values="images", aggfunc="sum", fill_value=0)
    counts = counts.reindex(list(CODES), fill_value=0)
    known = [value for value in counts.columns if value != UNKNOWN]
    counts = counts[known + [value for value in counts.columns if value == UNKNOWN]]
    return counts.div(counts.sum(axis=1).clip(lower=1), axis=0)


def stack(axes: Axes, parts: pd.DataFrame, colours: str) -> None:
    """The parts as stacked bars with their legend below."""
    palette, left = matplotlib.colormaps[colours], 0
    last = max(len(parts.columns) - 1, 1)
    for number, value in enumerate(parts.columns):
        colour = palette(number if palette.N <= 20 else number / last)
        axes.barh(
            range(len(parts)),
            parts[value],
            left=left,
            height=0.62,
            color=GREY if value == UNKNOWN else colour,
            label=str(value),
        )
        left = left + parts[value].to_numpy()
    axes.set_yticks(range(len(parts)), [WRAPPED[code] for code in parts.index], fontsize=9)
    axes.set_ylim(len(parts) - 0.5, -0.5)
    axes.grid(visible=False)
    axes.legend(loc="upper left", bbox_to_anchor=(-0.04, -0.1), ncols=2, fontsize=8.5, handlelength=1, columnspacing=1)
