"""Curves of the report: ROC, precision-recall, reliability, decision curve, training history."""

import textwrap

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from skinlesion.core.ham10000 import COLOURS, DIAGNOSES, NAMES
from skinlesion.report.figures import BLUE, INK, Chart, draw_chart
from skinlesion.report.inputs import Inputs
from skinlesion.report.table import number
from skinlesion.report.wording import SETS

GREY = "#8a8f98"
STYLES = {diagnosis.code: {"color": diagnosis.colour, "linewidth": 1.4} for diagnosis in DIAGNOSES} | {
    "mel": {"color": COLOURS["mel"], "linewidth": 2.2},
    "perfect": {"color": GREY, "linestyle": ":"},
    "raw": {"color": "#d55e00", "marker": "o", "markersize": 4},
    "calibrated": {"color": BLUE, "marker": "o", "markersize": 4},
    "natural": {"color": "#009e73", "marker": "o", "markersize": 4},
    "model": {"color": BLUE, "linewidth": 2.2},
    "test": {"color": BLUE, "linewidth": 2.2},
    "external": {"color": "#d55e00", "linewidth": 2.2},
    "treat all": {"color": GREY},
    "treat none": {"color": INK, "linestyle": "--"},
}
RELIABILITY = {line: line for line in ("perfect", "raw", "calibrated", "natural")}  # the lines of the diagram
PANELS = {  # of the history: y axis -> column -> label
    "loss": {"loss": "training", "val_loss": "validation"},
    "accuracy": {"accuracy": "training", "val_accuracy": "validation", "val_balanced_accuracy": "validation, balanced"},
    "learning rate": {"learning_rate": None},
}
LINES = {"training": GREY, "validation": BLUE, "validation, balanced": "#d55e00", None: INK}


def plot_lines(figure: Figure | SubFigure, table: pd.DataFrame, names: dict[str, str], columns: int) -> Axes:
    """Plot the lines that `table` has points of: its first three columns are line, x and y.

    `names` are those in the legend, by line; the legend has so many `columns`.
    """
    axes, (line, x, y) = figure.subplots(), table.columns[:3]
    for key, name in names.items():
        points = table[table[line] == key]
        if len(points):
            axes.plot(points[x], points[y], label=name, **STYLES[key])
    axes.set(xlabel=x.replace("_", " "), ylabel=y.replace("_", " "))
    figure.legend(
        loc="outside lower center", ncols=columns, fontsize=9, handlelength=1.4, columnspacing=1.2, borderaxespad=0.9
    )
    return axes


def draw_unit_square(
    title: str, alt: str, table: pd.DataFrame, names: dict[str, str], columns: int, diagonal: bool = False
) -> Chart:
    """Draw lines as `plot_unit_square` does."""

    def draw(figure: Figure) -> None:
        axes = plot_unit_square(figure, table, names, columns)
        if diagonal:
            axes.plot([0, 1], [0, 1], zorder=1, **STYLES["perfect"])

    return draw_chart(title, alt, (5.2, 6.0), draw)  # with room for a legend


def plot_unit_square(figure: Figure | SubFigure, table: pd.DataFrame, names: dict[str, str], columns: int) -> Axes:
    """Plot lines (see `plot_lines`) whose axes both go from 0 to 1."""
    axes = plot_lines(figure, table, names, columns)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    return axes


def draw_roc(inputs: Inputs) -> Chart:
    classes = inputs.tables["classes"]
    areas = classes[classes["measure"] == "roc_auc"].set_index("dx")["value"]
    names = {code: f"{name}, {number(areas.get(code), 2)}" for code, name in NAMES.items()}
    title, alt = "ROC curves, with the area under each", "ROC curve of each class against the rest."
    return draw_unit_square(title, alt, inputs.tables["roc"], names, columns=2, diagonal=True)


def draw_precision_recall(inputs: Inputs) -> Chart:
    title, alt = "Precision-recall curves", "Precision against recall of each class."
    return draw_unit_square(title, alt, inputs.tables["precision_recall"], NAMES, columns=2)


def draw_reliability(inputs: Inputs, on: str = "test") -> Chart:
    alt = "Accuracy against confidence of each variant, in bins of equally many images."
    return draw_unit_square(
        f"Reliability diagram, {SETS[on]}", alt, inputs.scores("reliability", on), RELIABILITY, columns=4
    )


def draw_referral(inputs: Inputs) -> Chart:
    names = {on: f"{SETS[on]}, mean error {number(inputs.metrics[on]['aurc'])}" for on in inputs.scored}
    table = inputs.tables["referral"]

    def draw(figure: Figure) -> None:
        axes = plot_lines(figure, table, names, columns=2)
        axes.set(xlim=(0, 1.01), ylim=(min(0.5, float(table["accuracy"].min())), 1.01))

    title, alt = "Accuracy on the images that are not referred", "Accuracy against coverage of each set."
    return draw_chart(title, alt, (5.6, 4.6), draw)


def draw_decision_curve(inputs: Inputs) -> Chart:
    table, names = inputs.tables["decision_curve"], {line: line for line in ("model", "treat all", "treat none")}

    def draw(figure: Figure) -> None:
        highest = max(float(table["net_benefit"].max()), 0.01)
        axes = plot_lines(figure, table, names, columns=3)
        axes.set(ylim=(-0.25 * highest, 1.08 * highest))

    alt = "Net benefit against the threshold probability: the model, treating all lesions, treating none."
    return draw_chart("Decision curve: malignant against benign", alt, (5.6, 4.6), draw)


def draw_history(inputs: Inputs) -> Chart:
    """Draw loss, accuracy and learning rate by epoch, with lines at the start of a phase and at the best epoch."""
    table, best = inputs.tables["history"], inputs.metrics["train"].get("best_epoch")
    starts = table.loc[table["phase"].diff().fillna(1) != 0, ["epoch", "phase"]]
    (configuration,) = inputs.params["configurations"].values()
    phases = [
        f"phase {phase}, from epoch {epoch}: {name_layers(configuration[phase - 1]['train'])}"
        for epoch, phase in starts.itertuples(index=False)
    ]

    def draw(figure: Figure) -> None:
        grid = figure.subplots(3, 1, sharex=True, height_ratios=(3, 3, 1.3))
        for axes, (name, lines) in zip(grid, PANELS.items(), strict=True):
            for column, label in lines.items():
                axes.plot(table["epoch"], table[column], ".-", color=LINES[label], label=label)
            for epoch in starts["epoch"].iloc[1:]:
                axes.axvline(epoch - 0.5, color=GREY, linewidth=1)
            if best:
                axes.axvline(best, color="#009e73", linestyle=":")
            axes.set_ylabel(name)
        # A title: its width, unlike that of a text at its phase, takes no room from the axes.
        grid[0].set_title(textwrap.fill("; ".join(phases), 110), loc="left", fontsize=9)
        handles, labels = grid[1].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=9.5)
        rates = sorted({table["learning_rate"].min(), table["learning_rate"].max()})
        grid[2].set(xlabel="epoch", yscale="log")
        grid[2].set_yticks(rates, [f"{rate:.2g}" for rate in rates])
        grid[2].minorticks_off()
        grid[2].set_xlim(table["epoch"].min() - 0.5, table["epoch"].max() + 0.5)
        grid[2].xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)

    alt = f"Loss, accuracy and learning rate over {len(table)} epochs in {len(starts)} phases; best epoch {best}."
    return draw_chart("Training history (dotted line: best epoch on validation)", alt, (9.4, 6.2), draw, "wide")


def name_layers(trained: str | int) -> str:
    """Name what a phase of params.yaml trains."""
    return {"all": "all layers", "head": "head only"}.get(trained, f"from layer {trained} on")
