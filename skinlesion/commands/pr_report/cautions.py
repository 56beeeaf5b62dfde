"""What forbids, or limits, the comparison of two sides: protocol, data, split, the synthetic sample, intervals."""

from pathlib import Path

from skinlesion.commands.pr_report.sides import Side
from skinlesion.report import wording
from skinlesion.report.table import missing
from skinlesion.runtime import paths

APART = "The figures of the two sides cannot be compared directly."


def warnings(base: Side, here: Side) -> list[str]:
    """Sentences for a reviewer who is about to compare the figures; none where nothing stands against it."""
    found = []
    if base.protocol != here.protocol:
        found.append(f"**Different protocols**: {base.name} {base.protocol}, {here.name} {here.protocol}. {APART}")
    if not same_data(base, here):
        sources = " and ".join(dict.fromkeys(str(side.source) for side in (base, here)))
        found.append(f"**Different data** (source {sources}; the content of {paths.RAW.as_posix()} differs). {APART}")
    elif base.protocol == here.protocol and not same_test_images(base, here):
        file = paths.SPLIT_METRICS.as_posix()
        found.append(f"**Different splits**: the test images are not the same ({file}). {APART}")
    if samples := [side.name for side in (base, here) if side.source == "sample"]:
        found.append(f"**Synthetic sample** ({' and '.join(samples)}). {wording.ON_SAMPLE}")
    return found


def notes(base: Side, here: Side) -> list[str]:
    """What a reviewer should know although the figures may be compared; none where they may not."""
    if base.protocol != here.protocol or not same_data(base, here) or not same_test_images(base, here):
        return []
    found = []
    if base.split != here.split or differs(base, here, paths.SPLITS):
        found.append("The test images are the same on both sides; those of training or validation differ.")
    if told_apart(base, here) is False:
        found.append(
            "Each balanced accuracy lies within the other's 95% interval: by their intervals, this test split does not "
            "tell the two sides apart."
        )
    return found


def same_data(base: Side, here: Side) -> bool:
    return base.source == here.source and not differs(base, here, paths.RAW)


def differs(base: Side, here: Side, output: Path) -> bool:
    """Whether dvc.lock has another hash for an output; False where a side has none."""
    before, after = (side.outputs.get(output.as_posix()) for side in (base, here))
    return None not in (before, after) and before != after


def same_test_images(base: Side, here: Side) -> bool:
    """Whether both sides were tested on the same images, as far as Git knows.

    Under protocol lesion the test images are originals, whatever was balanced: equal counts and an equal sequence of
    diagnoses mean equal images. Under protocol image the rows of the test split hang on all of data/splits.csv.
    """
    if here.protocol == "image":
        return base.split == here.split and not differs(base, here, paths.SPLITS)
    return tested(base) == tested(here)


def tested(side: Side) -> tuple[object, ...]:
    """What is known of the side's test images."""
    counts = {name: of.get("test") for name, of in side.split.items() if isinstance(of, dict)}
    return counts, [actual for actual, _ in side.predictions]


def told_apart(base: Side, here: Side) -> bool | None:
    """Whether a balanced accuracy lies outside the other's interval; None where they are equal or lack intervals."""
    values = [side.test.get("balanced_accuracy") for side in (base, here)]
    intervals = [side.intervals.get("balanced_accuracy") or {} for side in (base, here)]
    ends = [(one.get("low"), one.get("high")) for one in intervals]
    if any(missing(figure) for figure in (*values, *ends[0], *ends[1])) or values[0] == values[1]:
        return None
    return not all(low <= value <= high for (low, high), value in zip(ends, reversed(values), strict=True))
