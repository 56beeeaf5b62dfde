"""A comparison as text: a table in Markdown, McNemar's test, and the first disagreements."""

from skinlesion.commands.compare.paired import MEASURES, Comparison
from skinlesion.report.table import Table, count, markdown, number

SHOWN = 5  # disagreements


def describe(comparison: Comparison, a: str, b: str, split: str) -> str:
    """Describe the comparison of `a` and `b`, the names of both sides, on a split."""
    rows = [
        (MEASURES[name], number(difference.a), number(difference.b), str(difference))
        for name, difference in comparison.differences.items()
    ]
    images, different = count(comparison.images), comparison.disagreements
    by_lesion = comparison.unit == "lesion"
    lesions = f" of {count(comparison.lesions)} lesions" if by_lesion else ""
    only = f"{comparison.only_a_right} images right only in A, {comparison.only_b_right} only in B"
    shown = [
        f"  {row.image_id} ({row.group}), {row.dx}: A {row.predicted_a}, B {row.predicted_b}"
        for row in different.head(SHOWN).itertuples()
    ]
    return "\n".join(
        [
            f"A: {a}",
            f"B: {b}",
            f"split {split}: {images} images{lesions}, the same on both sides",
            "",
            markdown(Table("", ("measure", "A", "B", f"B - A, paired bootstrap by {comparison.unit}"), rows)),
            "",
            f"McNemar's exact test: {only}, p = {comparison.p:.3g}",
            *(["It takes images of one lesion as independent. Rely on the intervals."] if by_lesion else []),
            f"Another class predicted: {count(len(different))} of {images} images{':' if shown else ''}",
            *shown,
        ]
    )
