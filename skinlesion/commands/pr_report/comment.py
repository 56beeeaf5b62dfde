"""One comment for a pull request, in GitHub's Markdown: main figures, cautions about comparing them, and diffs."""

import re
from collections import Counter

from skinlesion.commands.dvc import read_dvc
from skinlesion.commands.pr_report import cautions, sides
from skinlesion.commands.pr_report.sides import Side
from skinlesion.core.ham10000 import CODES
from skinlesion.report import wording
from skinlesion.report.table import Estimate, Table, count, markdown, missing, number

MAX_ROWS, MAX_OPEN_ROWS = 150, 25  # of a diff: shown, and shown unfolded; GitHub allows 65,536 characters in all


def write_comment(base: str) -> str:
    """Compare the working tree with `base`, a branch, tag or commit. Runs in the repository's root, offline.

    Raises UserError if `base` is unknown, there is no result here, or one of the files cannot be read.
    """
    before, here = sides.read_commit(base), sides.read_working_tree()
    blocks = [f"## Results against `{base}`"]
    if before.test:
        blocks += [
            headline(before, here),
            alert("WARNING", cautions.warnings(before, here)),
            alert("NOTE", cautions.notes(before, here)),
            "### Sensitivity by class",
            compare_classes(before, here),
            *(fold_diff(kind, base, here.name) for kind in ("metrics", "params")),
            fold("Confusion matrices", *(confusion(side) for side in (before, here))),
        ]
    else:
        blocks += [headline(here), f"`{base}` has no results yet, so there is no comparison."]
    return "\n\n".join(block for block in blocks if block) + "\n"


def headline(*shown: Side) -> str:
    """Return a table of the main figures, with one column per side; the last row counts the test images that leak."""
    rows = [(name, *(cell(side) for side in shown)) for name, cell in HEADLINE.items()]
    if any(side.external.get("images") for side in shown):
        rows.insert(1, ("balanced accuracy on the external set", *map(external, shown)))
    return markdown(Table("", ("", *(side.name for side in shown)), rows, words=1 + len(shown)))


def model(side: Side) -> str:
    chosen = side.params.get("model", {})
    return ", ".join(str(chosen[key]) for key in ("backbone", "configuration") if key in chosen) or "unknown"


def leak(side: Side) -> str:
    """As `1,190 of 1,400 (85%)`."""
    leaked, images = (side.split.get(name, {}).get("test") for name in ("leaked_images", "images"))
    return f"{count(leaked)} of {count(images)} ({leaked / images:.0%})" if images and leaked is not None else "unknown"


def external(side: Side) -> str:
    """The balanced accuracy with its interval and the set's name; `none` where no set was scored."""
    figures = side.external
    interval = figures.get("intervals", {}).get("balanced_accuracy", {})
    estimate = Estimate(figures.get("balanced_accuracy"), interval.get("low"), interval.get("high"))
    return f"{estimate}, {figures['source']}" if figures.get("images") else "none"


HEADLINE = {
    "balanced accuracy (95% interval)": lambda side: side.balanced_accuracy,
    "protocol": lambda side: wording.name_protocol(side.protocol),
    "data": lambda side: side.source or "unknown",
    "model": model,
    "test images that **leak**": leak,
}


def compare_classes(before: Side, here: Side) -> str:
    """Return a table of the sensitivity by class of both sides, the change, and how many test images each has."""
    rows = []
    for code in CODES:
        (old, images_before), (new, images_here) = (sensitivity(side, code) for side in (before, here))
        images = count(images_here) if images_before == images_here else f"{count(images_before)}, {count(images_here)}"
        change = "" if missing(old) or missing(new) else f"{new - old:+.3f}"
        rows.append((code, number(old), number(new), change, images))
    return markdown(Table("", ("class", before.name, here.name, "change", "test images"), rows))


def sensitivity(side: Side, code: str) -> tuple[float | None, int]:
    """The part of a class's test images that are predicted as it, None without images, and their number."""
    predicted = [predicted for actual, predicted in side.predictions if actual == code]
    return predicted.count(code) / len(predicted) if predicted else None, len(predicted)


def confusion(side: Side) -> str:
    """A side's confusion matrix: rows are actual classes, columns predicted ones; empty means 0, bold is correct."""
    counts = Counter(side.predictions)
    cells = {pair: f"**{images}**" if pair[0] == pair[1] else str(images) for pair, images in counts.items()}
    corner = f"{side.name}, {len(side.predictions)} test images: actual, predicted →"
    rows = [(actual, *(cells.get((actual, predicted), "") for predicted in CODES)) for actual in CODES]
    return markdown(Table("", (corner, *CODES), rows)) if counts else f"{side.name}: no confusion matrix."


def alert(kind: str, sentences: list[str]) -> str:
    """A box that GitHub draws around the sentences; nothing for none."""
    return f"> [!{kind}]\n" + "\n>\n".join(f"> {sentence}" for sentence in sentences) if sentences else ""


def fold_diff(kind: str, base: str, here: str) -> str:
    """Run `dvc metrics diff` or `dvc params diff` against `base`; return its table in a block that can be folded.

    `here` is the name of the working tree's column, which DVC calls workspace.
    """
    head, rule, *rows = read_dvc(kind, "diff", base, "--md").strip().splitlines() or ["", ""]
    if not rows:
        return f"No {kind} differ."
    head = re.sub(r"\| workspace +\|", f"| {here} |", head)
    table = "\n".join([head, rule, *sorted(rows)[:MAX_ROWS]])  # sorted: DVC's own order of files differs between runs
    if len(rows) > MAX_ROWS:
        table += f"\n\n{len(rows) - MAX_ROWS} more rows: run `dvc {kind} diff {base}`."
    return fold(f"{kind.capitalize()} that differ: {len(rows)}", table, opened=len(rows) <= MAX_OPEN_ROWS)


def fold(summary: str, *blocks: str, opened: bool = False) -> str:
    """A block that GitHub folds; its summary is always visible."""
    content = "\n\n".join(blocks)
    return f"<details{' open' if opened else ''}><summary>{summary}</summary>\n\n{content}\n\n</details>"
