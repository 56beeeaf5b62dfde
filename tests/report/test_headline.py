"""The first words of the page: the figures with their intervals, the protocol, and beside them what leaks."""

from collections.abc import Callable
from dataclasses import replace
from math import nan

import pandas as pd
import pytest

from skinlesion.report import page
from skinlesion.report.inputs import Inputs


def with_leaks(inputs: Inputs, leaked: tuple, clean: tuple, everything: tuple) -> Inputs:
    """Other rows of leaks.csv: images, classes, accuracy, balanced accuracy."""
    rows = {"all": everything, "with a sibling in train": leaked, "without": clean}
    table = pd.DataFrame(
        [
            {"stratum": name, "images": n, "classes": classes, "accuracy": a, "balanced_accuracy": b}
            for name, (n, classes, a, b) in rows.items()
        ]
    )
    return replace(inputs, tables={**inputs.tables, "leaks": table})


def test_the_headline_has_both_figures_with_their_intervals_and_the_protocol(honest: Inputs, parse: Callable) -> None:
    figures = {**honest.metrics["test"], "balanced_accuracy": 0.6124, "accuracy": 0.7861}
    intervals = {"balanced_accuracy": {"low": 0.5712, "high": 0.6549}, "accuracy": {"low": 0.76, "high": 0.81}}
    hand_made = replace(honest, metrics={**honest.metrics, "test": figures, "intervals": intervals})
    assert parse(page.render(hand_made)).text("header") == (
        "Skin-lesion classification on HAM10000 resnet18 from random weights, head gap, images of 80 px "
        "Balanced accuracy 0.612 95% interval 0.57 to 0.65 Accuracy 0.786 95% interval 0.76 to 0.81 "
        "Split by lesion: no lesion stands on two sides "
        f"No test image has a sibling in train: 0 of {images_of(honest)}."
    )


def images_of(inputs: Inputs) -> int:
    return len(inputs.tables["confusion"])


@pytest.mark.parametrize(
    ("leaked", "clean", "everything", "line"),
    [
        (
            (1180, "bkl mel nv", 0.95, 0.951),
            (220, "bkl mel nv", 0.7, 0.5984),
            (1400, "akiec bkl mel nv", 0.91, 0.9112),
            "1,180 of 1,400 test images (84%) have a sibling in train: a copy, or another image of the same lesion. "
            "Balanced accuracy, over the classes that both have (bkl, mel, nv): 0.951 with a sibling, 0.598 without "
            "(220 images).",
        ),
        (
            (30, "mel nv", 0.9, 0.9),
            (0, "", nan, nan),
            (30, "mel nv", 0.9, 0.9),
            "30 of 30 test images (100%) have a sibling in train: a copy, or another image of the same lesion. "
            "None without one is left to compare them with.",
        ),
    ],
)
def test_the_leak_line_stands_in_the_headline(
    leaking: Inputs, leaked: tuple, clean: tuple, everything: tuple, line: str, parse: Callable
) -> None:
    document = parse(page.render(with_leaks(leaking, leaked, clean, everything)))
    assert document.text("header").endswith(f"Split by image: leaks, as published systems did {line}")


def test_a_leak_is_told_whatever_the_protocol_promises(honest: Inputs, parse: Callable) -> None:
    text = page.render(with_leaks(honest, (3, "nv", 0.9, 0.9), (27, "nv", 0.8, 0.8), (30, "mel nv", 0.85, 0.85)))
    assert "3 of 30 test images (10%) have a sibling in train" in parse(text).text("header")
    assert '<div class="bad"><h2>Split by</h2>' in text
    assert '<div class="good"><h2>Split by</h2>' in page.render(honest)
