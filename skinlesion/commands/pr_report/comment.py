"""One comment for a pull request, in GitHub's Markdown: main figures, cautions about comparing them, and diffs."""

from collections import Counter

from skinlesion.commands.dvc import read_dvc
from skinlesion.commands.pr_report import cautions, sides
from skinlesion.commands.pr_report.sides import Side
from skinlesion.core.ham10000 import CODES
from skinlesion.report import wording
from skinlesion.report.table import Estimate, Table, count, markdown

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
            "### Confusion matrices",
            *(confusion(side) for side in (before, here)),
            *(fold_diff(kind, base) for kind in ("metrics", "params")),
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
    "protocol": lambda side: wording.PROTOCOLS.get(side.protocol, "unknown"),
    "data": lambda side: side.data_source or "unknown",
    "model": model,
    "**leak**: test images with a sibling in train": leak,
}


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


def fold_diff(kind: str, base: str) -> str:
    """Run `dvc metrics diff` or `dvc params diff` against `base`; return its table in a block that can be folded."""
    head, rule, *rows = read_dvc(kind, "diff", base, "--md").strip().splitlines() or ["", ""]
    if not rows:
        return f"No {kind} differ."
    table = "\n".join([head, rule, *sorted(rows)[:MAX_ROWS]])  # sorted: DVC's own order of files differs between runs
    if len(rows) > MAX_ROWS:
        table += f"\n\n{len(rows) - MAX_ROWS} more rows: run `dvc {kind} diff {base}`."
    opened = "" if len(rows) > MAX_OPEN_ROWS else " open"
    summary = f"{kind.capitalize()} that differ: {len(rows)}"
    return f"<details{opened}><summary>{summary}</summary>\n\n{table}\n\n</details>"
