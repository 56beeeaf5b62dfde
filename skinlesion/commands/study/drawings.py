"""The figures of the results page, on white, so that they are readable in light and dark."""

import textwrap
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.figure import Figure, SubFigure

from skinlesion.commands.study.content import SETS, Content
from skinlesion.commands.study.inflation import POOLED, WAYS
from skinlesion.commands.study.recorded import to_predictions
from skinlesion.evaluate import plots, referral
from skinlesion.evaluate.external import SPLIT
from skinlesion.evaluate.metrics import count_confusions
from skinlesion.model.calibration import scale
from skinlesion.report.bars import plot_confusion
from skinlesion.report.curves import GREY, RELIABILITY, plot_lines, plot_unit_square
from skinlesion.report.figures import BLUE, draw_svg

Drawn = tuple[bytes, str]  # SVG, text for readers who cannot see it


def leakage(content: Content) -> Drawn | None:
    """Draw the difference that leakage makes in each recipe, and the mean: a panel for each way to measure it."""
    table = content.inflation
    if table.empty:
        return None
    names = list(table["recipe"].unique())
    ways = [(way, rows) for way in WAYS if len(rows := table[table["way"] == way])]

    def draw(figure: Figure) -> None:
        for axes, (way, rows) in zip(
            figure.subplots(1, len(ways), sharex=True, sharey=True, squeeze=False)[0], ways, strict=True
        ):
            places = [names.index(recipe) for recipe in rows["recipe"]]
            value, low, high = np.array([(cell.b - cell.a, cell.low, cell.high) for cell in rows["difference"]]).T
            axes.hlines(places, low, high, color=BLUE)
            axes.plot(value, places, "o", color=BLUE)
            axes.axvline(0, color=GREY, linewidth=1)
            axes.set_yticks(range(len(names)), [textwrap.fill(name, 30) for name in names], fontsize=9)
            axes.set_ylim(len(names) - 0.5, -0.5)
            axes.set_title(textwrap.fill(way, 18), fontsize=10)
        figure.supxlabel("difference in balanced accuracy, 95% interval", fontsize=10)

    pooled = table[table["recipe"] == POOLED]
    means = "; ".join(
        f"{way} {difference}" for way, difference in zip(pooled["way"], pooled["difference"], strict=True)
    )
    alt = f"What leakage adds to balanced accuracy, by recipe. {POOLED.capitalize()}: {means}."
    return draw_svg((2.6 + 2 * len(ways), 1.3 + 0.52 * len(names)), draw), alt


def risk_coverage(content: Content) -> Drawn | None:
    """Draw the accuracy on the most certain images: of the ensemble of the first system, or else its first run."""
    if (shown := content.pick("ensemble")) is None:
        return None
    parts = {split: to_predictions(shown.select(split)) for split in content.list_sets(shown)}
    table = pd.concat([referral.coverage_curve(split, part) for split, part in parts.items()])

    def draw(figure: Figure) -> None:
        plot_lines(figure, table, SETS, columns=2).set(xlim=(0, 1.01))

    alt = f"Accuracy of {shown.unit.name} against coverage, the share of images of which it is most certain."
    return draw_svg((5.6, 4.6), draw), alt


def confusion(content: Content) -> Drawn | None:
    """Draw the confusion matrix of the result in the table of classes, and on ISIC 2018 that of the ensemble.

    Without an ensemble it is that of the first run.
    """
    choices = {"test": content.pick("folds", "ensemble"), SPLIT: content.pick("ensemble")}
    panels = {split: shown for split, shown in choices.items() if shown and split in content.list_sets(shown)}
    if not panels:
        return None

    def draw(figure: Figure) -> None:
        for part, (split, shown) in zip(split_figure(figure, panels), panels.items(), strict=True):
            rows = to_predictions(shown.select(split))
            axes = plot_confusion(part, count_confusions(rows.labels, rows.headline.argmax(axis=1)))
            axes.set_title(f"{shown.unit.name}, {SETS[split]}")

    names = " and ".join(f"{shown.unit.name} on {SETS[split]}" for split, shown in panels.items())
    return draw_svg((5.6 * len(panels), 4.6), draw), f"Actual class against predicted class, in images: {names}."


def reliability(content: Content) -> Drawn | None:
    """Draw the reliability of the first system's first run, before calibration and after."""
    if (shown := next(iter(content.seeds), None)) is None:
        return None
    panels = content.list_sets(shown)

    def draw(figure: Figure) -> None:
        for part, (split, words) in zip(split_figure(figure, panels), panels.items(), strict=True):
            rows = to_predictions(shown.select(split))
            raw = rows.probabilities["raw"]
            both = {"raw": raw, "calibrated": scale(raw, shown.facts[0]["temperature"])}
            table = plots.reliability_by_variant(replace(rows, probabilities=both))
            plot_unit_square(part, table, RELIABILITY, columns=3).set_title(words)

    names = " and ".join(panels.values())
    alt = f"Accuracy of {shown.unit.name} against its confidence, raw and calibrated, on {names}."
    return draw_svg((4.7 * len(panels), 5.4), draw), alt


def split_figure(figure: Figure, panels: dict) -> list[SubFigure]:
    """A part of the figure for each panel, side by side."""
    return list(figure.subfigures(1, len(panels), squeeze=False)[0])


FIGURES: dict[str, Callable[[Content], Drawn | None]] = {
    figure.__name__: figure for figure in (leakage, risk_coverage, confusion, reliability)
}
