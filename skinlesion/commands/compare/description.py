"""A comparison as text: a table in Markdown; of two runs also McNemar's test and the first disagreements."""

from statistics import mean

from skinlesion.commands.compare.paired import MEASURES, Comparison
from skinlesion.commands.compare.repeated import Repeated
from skinlesion.report.table import Table, count, markdown, number

SHOWN = 5  # disagreements
ONE_TRAINING = (
    "Each side is one training. The intervals leave out the chance of training, so other seeds may turn a sign.\n"
    "Train both with several seeds, then: skinlesion compare A1,A2,A3 B1,B2,B3"
)
SEVERAL_TRAININGS = (
    "In brackets: the lowest and the highest run. An interval that contains 0 does not show which side is better, nor\n"
    "that both are equal. The part due to training is too narrow: by 18% with three runs a side, by 29% with two."
)


def describe(comparison: Comparison, a: str, b: str, split: str) -> str:
    """Describe the comparison of `a` and `b`, the names of both sides, on a split."""
    rows = [
        (MEASURES[name], number(difference.a), number(difference.b), str(difference))
        for name, difference in comparison.differences.items()
    ]
    images, different = count(comparison.images), comparison.disagreements
    only = f"{comparison.only_a_right} images right only in A, {comparison.only_b_right} only in B"
    shown = [
        f"  {row.image_id} ({row.group}), {row.dx}: A {row.predicted_a}, B {row.predicted_b}"
        for row in different.head(SHOWN).itertuples()
    ]
    return "\n".join(
        [
            *head(comparison, a, b, split, "the same on both sides"),
            markdown(Table("", ("measure", "A", "B", f"B - A, paired bootstrap by {comparison.unit}"), rows)),
            "",
            f"McNemar's exact test: {only}, p = {comparison.p:.3g}",
            *(
                ["It takes images of one lesion as independent; the intervals do not."]
                if comparison.unit == "lesion"
                else []
            ),
            f"Another class predicted: {count(len(different))} of {images} images{':' if shown else ''}",
            *shown,
            "",
            ONE_TRAINING,
        ]
    )


def describe_repeated(comparison: Repeated, a: str, b: str, split: str) -> str:
    """Describe the comparison of the runs `a` and `b`, the names of each side, on a split."""
    rows = [
        (MEASURES[name], *map(describe_runs, comparison.runs[name]), str(difference))
        for name, difference in comparison.means.items()
    ]
    columns = ("measure", "A, mean", "B, mean", f"B - A, bootstrap by {comparison.unit} and run")
    return "\n".join(
        [
            *head(comparison, a, b, split, "the same in all runs"),
            markdown(Table("", columns, rows)),
            "",
            SEVERAL_TRAININGS,
        ]
    )


def head(comparison: Comparison | Repeated, a: str, b: str, split: str, shared: str) -> list[str]:
    """The first lines: both sides, and the images on which they are compared."""
    lesions = f" of {count(comparison.lesions)} lesions" if comparison.unit == "lesion" else ""
    return [f"A: {a}", f"B: {b}", f"split {split}: {count(comparison.images)} images{lesions}, {shared}", ""]


def describe_runs(scores: list[float]) -> str:
    """The mean of the runs, and their range."""
    return f"{number(mean(scores))} [{number(min(scores))} to {number(max(scores))}]"
