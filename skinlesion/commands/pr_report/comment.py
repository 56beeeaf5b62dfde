"""One comment for a pull request, in GitHub's Markdown: headlines, what speaks against comparing them, diffs."""

from skinlesion.commands.dvc import must
from skinlesion.commands.pr_report import cautions, matrices, sides
from skinlesion.commands.pr_report.sides import Side
from skinlesion.report import wording
from skinlesion.report.table import Estimate, Table, markdown

ROOM = 25_000  # characters for each of the two diffs; GitHub takes 65,536 for a comment
FOLDED = 25  # rows; a longer diff starts closed


def comment(base: str) -> str:
    """Compare the working tree with `base`, a branch, tag or commit. Runs in the repository's root, offline.

    Raises:
        UserError: `base` is unknown, there is no result here, or one of the files cannot be read.
    """
    before, here = sides.committed(base), sides.working()
    if not before.test:
        return join(title(base), headline(here), f"Nothing to compare with: `{base}` has no results yet.")
    diffs = {kind: diff(kind, base) for kind in ("metrics", "params")}
    if before.same_results(here) and not any(diffs.values()):
        return f"Results against `{base}`: no metric, no param and no test prediction differs.\n"
    return join(
        title(base),
        headline(before, here),
        alert("WARNING", cautions.warnings(before, here)),
        alert("NOTE", cautions.notes(before, here)),
        "### Confusion matrices",
        matrices.html(before, here) if before.predictions or here.predictions else "Neither side has one.",
        *(folded(kind, rows, base) for kind, rows in diffs.items()),
    )


def join(*blocks: str) -> str:
    return "\n\n".join(block for block in blocks if block) + "\n"


def title(base: str) -> str:
    return f"## Results against `{base}`"


def headline(*shown: Side) -> str:
    """What to look at first, a column per side; ends with the leak."""
    rows = [(name, *(of(side) for side in shown)) for name, of in HEADLINE.items()]
    return markdown(Table("", ("", *(side.name for side in shown)), rows, words=1 + len(shown)))


def balanced_accuracy(side: Side) -> Estimate:
    interval = side.intervals.get("balanced_accuracy") or {}
    return Estimate(side.test.get("balanced_accuracy"), interval.get("low"), interval.get("high"))


def protocol(side: Side) -> str:
    return wording.PROTOCOLS.get(side.protocol, "unknown")


def model(side: Side) -> str:
    chosen = side.params.get("model", {})
    return ", ".join(str(chosen[key]) for key in ("backbone", "configuration") if key in chosen) or "unknown"


def leak(side: Side) -> str:
    """As `1,190 of 1,400 (85%)`."""
    leaked, images = (side.split.get(name, {}).get("test") for name in ("leaked_images", "images"))
    if leaked is None or not images:
        return "not counted"
    return f"{leaked:,} of {images:,} ({leaked / images:.0%})"


HEADLINE = {
    "balanced accuracy (95% interval)": balanced_accuracy,
    "protocol": protocol,
    "data": lambda side: side.source or "unknown",
    "model": model,
    "**leak**: test images with a sibling in train": leak,
}


def alert(kind: str, sentences: list[str]) -> str:
    """A box that GitHub draws around the sentences; nothing for none."""
    return f"> [!{kind}]\n" + "\n>\n".join(f"> {one}" for one in sentences) if sentences else ""


def diff(kind: str, base: str) -> list[str]:
    """The lines of `dvc metrics diff` or `dvc params diff` as a Markdown table; empty where nothing differs."""
    lines = must(kind, "diff", base, "--md").strip().splitlines()
    head, rows = lines[:2], lines[2:]
    return [*head, *sorted(rows)] if rows else []  # sorted: DVC's own order of files differs between runs


def folded(kind: str, lines: list[str], base: str) -> str:
    """A diff that can be opened and closed, cut after ROOM characters."""
    if not lines:
        return f"No {kind} differ."
    head, rows = lines[:2], lines[2:]
    shown, used = [], sum(map(len, head))
    for row in rows:
        used += len(row) + 1
        if used > ROOM:
            break
        shown.append(row)
    left = len(rows) - len(shown)
    rest = f"\n\n{left} more: `dvc {kind} diff {base}` shows them." if left else ""
    opened = "" if len(rows) > FOLDED else " open"
    table = "\n".join([*head, *shown])
    summary = f"{kind.capitalize()} that differ: {len(rows)}"
    return f"<details{opened}><summary>{summary}</summary>\n\n{table}{rest}\n\n</details>"
