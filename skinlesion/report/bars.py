"""The charts of the report that have a row per class: confusion, and measures with their intervals."""

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from skinlesion.core.ham10000 import CODES, COLOURS
from skinlesion.report.drawing import Chart, render
from skinlesion.report.inputs import Inputs
from skinlesion.report.wording import NAMES

SHOWN = {"sensitivity": "sensitivity", "precision": "precision", "f1": "F1"}
WRAPPED = {code: textwrap.fill(name, 19) for code, name in NAMES.items()}


def matrix(inputs: Inputs) -> np.ndarray:
    """Test images by class (7, 7): truth down, prediction across, in the order of CODES."""
    table = inputs.tables["confusion"]
    counted = pd.crosstab(table["actual"], table["predicted"])
    return counted.reindex(index=list(CODES), columns=list(CODES), fill_value=0).to_numpy()


def confusion(inputs: Inputs) -> Chart:
    found = matrix(inputs)
    alt = f"Confusion matrix in images: {np.trace(found)} of {found.sum()} test images are predicted as they are."
    return grid("Confusion, in images", alt, found, found, "{:,.0f}")


def confusion_rows(inputs: Inputs) -> Chart:
    found = matrix(inputs)
    rows = found / np.maximum(found.sum(axis=1, keepdims=True), 1)
    said = ", ".join(f"{NAMES[code]} {rows[i, i]:.0%}" for i, code in enumerate(CODES) if found[i].sum())
    return grid(
        "Confusion, in % of each row", f"Part of each class that is predicted as it is: {said}.", found, rows, "{:.0%}"
    )


def grid(title: str, alt: str, images: np.ndarray, values: np.ndarray, form: str) -> Chart:
    """A confusion matrix whose colour is the part of the row; cells without images stay empty."""
    shares = images / np.maximum(images.sum(axis=1, keepdims=True), 1)

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=1, edgecolors="white", linewidth=1.5)
        for row, column in np.ndindex(*shares.shape):
            if images[row, column]:
                colour = "white" if shares[row, column] > 0.55 else "#1c2026"
                text = form.format(values[row, column])
                axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", color=colour, fontsize=10)
        middles = np.arange(len(CODES)) + 0.5
        axes.set_xticks(middles, list(CODES))
        axes.set_yticks(middles, [f"{WRAPPED[code]} ({code})" for code in CODES], fontsize=9)
        axes.set(xlabel="predicted", ylabel="actual")
        axes.invert_yaxis()
        axes.grid(False)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_aspect("equal")

    return render(title, alt, (5.6, 4.6), draw)


def classes(inputs: Inputs) -> Chart:
    """Bars of sensitivity, precision and F1 by class, each with its 95% interval."""
    table = inputs.tables["classes"]

    def draw(figure: Figure) -> None:
        for axes, (name, words) in zip(figure.subplots(1, len(SHOWN), sharey=True), SHOWN.items(), strict=True):
            bars(axes, table[table["measure"] == name].set_index("dx").reindex(list(CODES)))
            axes.set(title=words, xlim=(0, 1.02), xticks=[0, 0.25, 0.5, 0.75, 1], xticklabels=["0", "", "0.5", "", "1"])

    means = table[table["measure"] == "sensitivity"].dropna(subset="value")
    said = ", ".join(f"{NAMES[row.dx]} {row.value:.2f}" for row in means.itertuples())
    alt = f"Sensitivity, precision and F1 of each class with 95% intervals. Sensitivity: {said}."
    return render("By class, with 95% intervals", alt, (9.4, 4.2), draw, "wide")


def bars(axes: Axes, rows: pd.DataFrame) -> None:
    """A bar and its interval for each class; a class without images has a remark instead."""
    places = np.arange(len(rows))
    values = rows["value"].to_numpy(dtype=float)
    axes.barh(places, np.nan_to_num(values), color=[COLOURS[code] for code in rows.index], height=0.62, alpha=0.6)
    known = np.isfinite(values) & rows["low"].notna().to_numpy()
    lengths = np.abs(rows[["low", "high"]].to_numpy(dtype=float).T - values)
    axes.errorbar(
        values[known], places[known], xerr=lengths[:, known], fmt="none", ecolor="#1c2026", elinewidth=1.3, capsize=3
    )
    for place in places[~np.isfinite(values)]:
        axes.text(0.02, place, "not in the test split", va="center", fontsize=8.5, color="#5c6470")
    axes.set_yticks(places, [WRAPPED[code] for code in rows.index], fontsize=9)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
