"""The curves of the report: ROC, precision-recall, reliability, decision curve, history."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from skinlesion.core.ham10000 import DIAGNOSES
from skinlesion.report.drawing import Chart, render
from skinlesion.report.inputs import Inputs
from skinlesion.report.table import number
from skinlesion.report.wording import NAMES

SQUARE = (5.2, 6.0)
OBLONG = (5.6, 4.6)
VARIANTS = {"raw": "#d55e00", "calibrated": "#0072b2", "natural": "#009e73"}
STRATEGIES = {
    "model": {"color": "#0072b2", "linewidth": 2.2},
    "treat all": {"color": "#8a8f98"},
    "treat none": {"color": "#222222", "linestyle": "--"},
}


def unit(axes: Axes, x: str, y: str) -> None:
    """Axes from 0 to 1, square."""
    axes.set(xlabel=x, ylabel=y, xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.set_aspect("equal")


def by_class(table: pd.DataFrame, x: str, y: str, axes: Axes, areas: dict[str, float]) -> None:
    """A curve for each class that has one, named in words with its area."""
    for diagnosis in DIAGNOSES:
        curve = table[table["dx"] == diagnosis.code]
        area = f", {number(areas[diagnosis.code], 2)}" if diagnosis.code in areas else ""
        if len(curve):
            width = 2.2 if diagnosis.code == "mel" else 1.4
            axes.plot(curve[x], curve[y], color=diagnosis.colour, linewidth=width, label=diagnosis.name + area)


def legend(figure: Figure, columns: int) -> None:
    figure.legend(
        loc="outside lower center", ncols=columns, fontsize=9, handlelength=1.4, columnspacing=1.2, borderaxespad=0.9
    )


def roc(inputs: Inputs) -> Chart:
    classes = inputs.tables["classes"]
    areas = classes[classes["measure"] == "roc_auc"].dropna(subset="value").set_index("dx")["value"].to_dict()

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color="#b9bec7", linestyle=":")
        by_class(inputs.tables["roc"], "false_positive_rate", "true_positive_rate", axes, areas)
        unit(axes, "false positive rate (1 - specificity)", "sensitivity")
        legend(figure, 2)

    found = ", ".join(f"{NAMES[code]} {number(area, 2)}" for code, area in areas.items())
    alt = f"ROC curve of each class against the rest. Area under the curve: {found or 'none'}."
    return render("ROC by class, with the area under each curve", alt, SQUARE, draw)


def precision_recall(inputs: Inputs) -> Chart:
    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        by_class(inputs.tables["precision_recall"], "recall", "precision", axes, {})
        unit(axes, "recall (sensitivity)", "precision")
        legend(figure, 2)

    return render("Precision and recall by class", "Precision against recall of each class.", SQUARE, draw)


def reliability(inputs: Inputs) -> Chart:
    table = inputs.tables["reliability"]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color="#b9bec7", linestyle=":", label="confidence is accuracy")
        for variant, colour in VARIANTS.items():
            own = table[table["line"] == variant]
            axes.plot(own["confidence"], own["accuracy"], "o-", color=colour, markersize=4, label=variant)
        unit(axes, "mean confidence of the bin", "accuracy of the bin")
        legend(figure, 4)

    errors = inputs.tables["calibration"].set_index("variant")["calibration_error"]
    found = ", ".join(f"{variant} {number(error)}" for variant, error in errors.items())
    alt = f"Accuracy against confidence, in bins of equally many test images. Expected calibration error: {found}."
    return render("Reliability", alt, SQUARE, draw)


def decision_curve(inputs: Inputs) -> Chart:
    table = inputs.tables["decision_curve"]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for strategy, style in STRATEGIES.items():
            own = table[table["line"] == strategy]
            axes.plot(own["threshold"], own["net_benefit"], label=strategy, **style)
        highest = max(float(table["net_benefit"].max()), 0.01)
        axes.set(xlabel="threshold probability", ylabel="net benefit per image", ylim=(-0.25 * highest, 1.08 * highest))
        legend(figure, 3)

    alt = "Net benefit against the threshold probability: the model, treating every lesion, treating none."
    return render("Decision curve: malignant against benign", alt, OBLONG, draw)


def history(inputs: Inputs) -> Chart:
    """Loss, accuracy and learning rate by epoch; a line where a phase begins, and one at the best epoch."""
    table, best = inputs.tables["history"], inputs.metrics["train"].get("best_epoch")
    starts = table.loc[table["phase"].diff().fillna(1) != 0, ["epoch", "phase"]]
    trains = [phase["train"] for phase in next(iter(inputs.params["configurations"].values()))]
    panels = {
        "loss": {"loss": "training", "val_loss": "validation"},
        "accuracy": {
            "accuracy": "training",
            "val_accuracy": "validation",
            "val_balanced_accuracy": "validation, balanced",
        },
        "learning rate": {"learning_rate": None},
    }
    colours = {"training": "#8a8f98", "validation": "#0072b2", "validation, balanced": "#d55e00", None: "#333a44"}

    def draw(figure: Figure) -> None:
        grid = figure.subplots(3, 1, sharex=True, height_ratios=(3, 3, 1.3))
        for axes, (name, lines) in zip(grid, panels.items(), strict=True):
            for column, label in lines.items():
                axes.plot(table["epoch"], table[column], ".-", color=colours[label], label=label)
            for epoch in starts["epoch"].iloc[1:]:
                axes.axvline(epoch - 0.5, color="#8a8f98", linewidth=1)
            if best:
                axes.axvline(best, color="#009e73", linestyle=":")
            axes.set_ylabel(name)
        for place, (epoch, phase) in enumerate(starts.itertuples(index=False)):
            words = f"phase {phase:g}: {trained(trains, int(phase))}"
            height = 1.02 + 0.11 * (place % 2)  # a short phase's words would run into those of the next
            grid[0].text(epoch - 0.4, height, words, transform=grid[0].get_xaxis_transform(), fontsize=9)
        handles, labels = grid[1].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=9.5)
        rates = sorted({table["learning_rate"].min(), table["learning_rate"].max()})
        grid[2].set(xlabel="epoch", yscale="log")
        grid[2].set_yticks(rates, [f"{rate:g}" for rate in rates])
        grid[2].minorticks_off()
        grid[2].xaxis.get_major_locator().set_params(integer=True)

    alt = f"Loss, accuracy and learning rate over {len(table)} epochs in {len(starts)} phases; best epoch {best}."
    return render("Training, by epoch (dotted: the best epoch on validation)", alt, (9.4, 6.2), draw, "wide")


def trained(phases: list[str | int], number: int) -> str:
    """What a phase trains, in words; phases count from 1."""
    what = phases[number - 1] if number <= len(phases) else "all"
    return {"all": "everything trains", "head": "the head trains"}.get(str(what), f"from layer {what} on")
