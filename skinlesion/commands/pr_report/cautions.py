"""Cautions about comparing two sides: protocol, data, test images, the synthetic sample, paired difference."""

from pathlib import Path

from skinlesion.commands.compare.paired import compare
from skinlesion.commands.pr_report.sides import Side
from skinlesion.commands.revisions import FETCH, find_cached
from skinlesion.commands.scored_split import read_split
from skinlesion.report import wording
from skinlesion.runtime import paths
from skinlesion.runtime.errors import UserError


def warnings(base: Side, here: Side) -> list[str]:
    """Reasons not to compare the figures of the two sides."""
    sentences = []
    if difference := find_difference(base, here):
        sentences.append(f"**Different {difference}. The figures of the two sides cannot be compared directly.")
    if samples := [side.name for side in (base, here) if side.source == "sample"]:
        sentences.append(f"**Synthetic sample** ({' and '.join(samples)}). {wording.ON_SAMPLE}")
    return sentences


def notes(base: Side, here: Side) -> list[str]:
    """Limits of a comparison; none where `warnings` forbids it."""
    if find_difference(base, here):
        return []
    sentences = []
    if base.split != here.split or output_differs(base, here, paths.SPLITS):
        sentences.append("The test images are the same on both sides. The training or validation images differ.")
    sentences.append(describe_difference(base, here))
    return sentences


def find_difference(base: Side, here: Side) -> str:
    """Name the first thing that forbids a direct comparison; empty where nothing does."""
    if base.protocol != here.protocol:
        return f"protocols**: {base.name} {base.protocol}, {here.name} {here.protocol}"
    if base.source != here.source or output_differs(base, here, paths.RAW):
        return f"data**: {paths.RAW.as_posix()} differs (source: {base.source}, {here.source})"
    if here.protocol == "image":  # the test images depend on the whole of data/splits.csv
        same = base.split == here.split and not output_differs(base, here, paths.SPLITS)
    else:  # they are originals: equal counts and an equal sequence of diagnoses mean equal images
        same = describe_test_images(base) == describe_test_images(here)
    return "" if same else f"splits**: the test images differ ({paths.SPLIT_METRICS.as_posix()})"


def output_differs(base: Side, here: Side, output: Path) -> bool:
    """Whether dvc.lock has another hash for an output; False where a side has none."""
    before, after = (side.outputs.get(output.as_posix()) for side in (base, here))
    return None not in (before, after) and before != after


def describe_test_images(side: Side) -> tuple[dict[str, object], list[str]]:
    """The counts of the test images in metrics/split.json, and their diagnoses in order."""
    counts = {name: values.get("test") for name, values in side.split.items() if isinstance(values, dict)}
    return counts, [actual for actual, _ in side.predictions]


def describe_difference(base: Side, here: Side) -> str:
    """Describe the paired difference in balanced accuracy on the test images, or why it is missing."""
    predictions = paths.PREDICTIONS.as_posix()
    hashes = {side.name: side.outputs.get(predictions) for side in (base, here)}
    if hashes[base.name] == hashes[here.name] is not None:
        return "The predictions of both sides are the same."
    absent = "The paired difference in balanced accuracy is missing"
    files = {name: find_cached(md5) for name, md5 in hashes.items()}
    if uncached := [name for name, file in files.items() if file is None]:
        fault = f"{absent}: {predictions} of {' and '.join(uncached)} is not in DVC's cache"
        return f"{fault}. Run `{FETCH}`, or where no remote has it `dvc repro` on that commit; then report again."
    try:
        sides = [read_split(file, "test", f"{predictions} of {name}") for name, file in files.items()]
        comparison = compare(*sides, here.params["evaluate"]["bootstrap"], here.params["seed"])
    except UserError as error:
        return f"{absent}. {error}."
    difference = comparison.differences["balanced_accuracy"]
    sentence = f"Paired difference in balanced accuracy, {here.name} minus {base.name}: {difference}, by lesion"
    if difference.low <= 0 <= difference.high:
        return f"{sentence}. The interval contains 0, so the test set cannot distinguish the two sides."
    return f"{sentence}."
