"""Charts of the report with a row per class: confusion matrices, class metrics, patients."""

import textwrap

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure, SubFigure

from skinlesion.core.ham10000 import CODES, COLOURS, NAMES
from skinlesion.report.figures import INK, LINE, SOFT, Chart, draw_chart
from skinlesion.report.inputs import Inputs
from skinlesion.report.wording import SETS

MEASURES = {"sensitivity": "sensitivity", "precision": "precision", "f1": "F1"}
PANELS = {"age": ("age, in years", "viridis"), "sex": ("sex", "Set2"), "localization": ("site", "tab20")}  # -> colours
UNKNOWN, GREY = "unknown", "#8a8f98"
BLUES = LinearSegmentedColormap.from_list("blues", ["#1f6fb200", "#1f6fb2"])  # from transparent: for any ground
WRAPPED = {code: textwrap.fill(name, 19) for code, name in NAMES.items()}


def count_confusions(inputs: Inputs, on: str = "test") -> np.ndarray:
    """Count a set's images by true class (rows) and predicted class (columns): (7, 7), in the order of CODES."""
    table = inputs.scores("confusion", on)
    counts = pd.crosstab(table["actual"], table["predicted"])
    return counts.reindex(index=list(CODES), columns=list(CODES), fill_value=0).to_numpy()


def draw_confusion(inputs: Inputs, percent: bool = False, on: str = "test") -> Chart:
    """Draw a set's confusion matrix in images or in % of each row, coloured by the latter; empty cells: no images."""
    images = count_confusions(inputs, on)
    unit = "% of each row" if percent else "images"
    title, alt = f"Confusion matrix, {SETS[on]}, in {unit}", f"True class against predicted class, in {unit}."
    return draw_chart(title, alt, (5.6, 4.6), lambda figure: plot_confusion(figure, images, percent))


def plot_confusion(figure: Figure | SubFigure, images: np.ndarray, percent: bool = False) -> Axes:
    """Plot counts (7, 7) by true class (rows) and predicted class (columns), in images or in % of each row."""
    axes, shares = figure.subplots(), images / np.maximum(images.sum(axis=1, keepdims=True), 1)
    axes.pcolormesh(shares, cmap=BLUES, vmin=0, vmax=1, edgecolors=LINE, linewidth=1)
    for row, column in np.argwhere(images):
        colour = "white" if shares[row, column] > 0.55 else INK
        text = f"{shares[row, column]:.0%}" if percent else f"{images[row, column]:,}"
        axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", color=colour, fontsize=10)
    middles = np.arange(len(CODES)) + 0.5
    axes.set_xticks(middles, list(CODES))
    axes.set_yticks(middles, [f"{WRAPPED[code]} ({code})" for code in CODES], fontsize=9)
    axes.set(xlabel="predicted", ylabel="actual", aspect="equal")
    axes.invert_yaxis()
    axes.grid(False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return axes


def draw_class_metrics(inputs: Inputs) -> Chart:
    """Draw sensitivity, precision and F1 of each class with their intervals."""
    table = inputs.tables["classes"]

    def draw(figure: Figure) -> None:
        for axes, (name, title) in zip(figure.subplots(1, 3, sharey=True), MEASURES.items(), strict=True):
            plot_estimates(axes, table[table["measure"] == name].set_index("dx").reindex(list(CODES)))
            axes.set(title=title, xlim=(0, 1.02), xticks=[0, 0.25, 0.5, 0.75, 1], xticklabels=["0", "", "0.5", "", "1"])

    alt = "Sensitivity, precision and F1 of each class with 95% confidence intervals."
    return draw_chart("Metrics by class, with 95% CI", alt, (9.4, 4.2), draw, "wide")


def plot_estimates(axes: Axes, rows: pd.DataFrame) -> None:
    """Plot a bar and its interval for each class, or a remark if the class has no images."""
    places, values = np.arange(len(rows)), rows["value"].to_numpy(dtype=float)
    lengths = np.abs(rows[["low", "high"]].to_numpy(dtype=float).T - values)
    error = {"ecolor": INK, "elinewidth": 1.3, "capsize": 3}
    colours = [COLOURS[code] for code in rows.index]
    axes.barh(places, values, xerr=lengths, error_kw=error, color=colours, height=0.62, alpha=0.6)
    for place in places[~np.isfinite(values)]:
        axes.text(0.02, place, "not in the test split", va="center", fontsize=8.5, color=SOFT)
    label_classes(axes)
    axes.grid(axis="y", visible=False)


def label_classes(axes: Axes) -> None:
    """Label the y axis with the classes, the first of CODES at the top."""
    axes.set_yticks(range(len(CODES)), [WRAPPED[code] for code in CODES], fontsize=9)
    axes.set_ylim(len(CODES) - 0.5, -0.5)


def draw_patients(inputs: Inputs) -> Chart:
    """Draw the shares of age, sex and site in each class, from the tables of explore."""

    def draw(figure: Figure) -> None:
        for axes, (name, (title, colours)) in zip(figure.subplots(1, 3, sharey=True), PANELS.items(), strict=True):
            stack_shares(axes, class_shares(inputs.tables[name]), colours)
            axes.set(title=title, xlim=(0, 1), xticks=[0, 0.5, 1], xticklabels=["0", "50%", "100%"])

    alt = "Age, sex and site of the images of each class, as shares of the class."
    return draw_chart("Age, sex and site of the patients", alt, (9.4, 5.4), draw, "wide")


def class_shares(table: pd.DataFrame) -> pd.DataFrame:
    """Compute the share of each value (columns, unknown last) in each class (rows, in the order of CODES)."""
    counts = table.pivot_table(index="dx", columns="value", values="images", aggfunc="sum", fill_value=0)
    counts = counts.reindex(list(CODES), fill_value=0)
    counts = counts[sorted(counts.columns, key=lambda value: value == UNKNOWN)]
    return counts.div(counts.sum(axis=1).clip(lower=1), axis=0)


def stack_shares(axes: Axes, shares: pd.DataFrame, colours: str) -> None:
    """Plot the shares as stacked bars with a legend below."""
    palette, left = matplotlib.colormaps[colours], 0
    edge = {"edgecolor": GREY, "linewidth": 0.4}  # the darkest and lightest colours are close to a ground
    last = max(len(shares.columns) - 1, 1)
    for number, value in enumerate(shares.columns):
        colour = GREY if value == UNKNOWN else palette(number if palette.N <= 20 else number / last)
        axes.barh(range(len(shares)), shares[value], left=left, height=0.62, color=colour, label=str(value), **edge)
        left = left + shares[value].to_numpy()
    label_classes(axes)
    axes.grid(visible=False)
    axes.legend(loc="upper left", bbox_to_anchor=(-0.04, -0.1), ncols=2, fontsize=8.5, handlelength=1, columnspacing=1)
