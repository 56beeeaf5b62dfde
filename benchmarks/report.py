"""What was measured, as Markdown and as a picture. A section per kind of CPU, with a part per topic."""

import re
from pathlib import Path
from statistics import median

from benchmarks import figure, machine
from benchmarks.topic import Topic, rounded
from skinlesion.runtime.files import replace_file

HEAD = """# Measured side by side

`make bench` wrote this. Each kind of CPU has a section; a run replaces its topics in the section of its kind.
Variants take turns, each round of each in a process of its own. The figures are medians over the rounds, with the
lowest and the highest; ratios are medians of the ratios within a round. Peak memory is that of the process.
results.png shows the last run.
"""


def write(topics: list[Topic], folder: Path) -> None:
    """Replace these topics in the section of this kind of CPU in results.md; draw results.png."""
    path = folder / "results.md"
    found = {topic.title: section(topic) for topic in topics if topic.rounds or topic.left_out}
    if not found:
        return
    kinds = parts(path.read_text(encoding="utf-8"), "##") if path.exists() else {}
    own = dict(sorted((parts(kinds.pop(machine.kind(), ""), "###") | found).items()))
    kinds = {machine.kind(): joined(own, "###"), **kinds}
    with replace_file(path) as partial:
        partial.write_text(f"{HEAD}\n{joined(kinds, '##')}\n", encoding="utf-8")
    if measured := [topic for topic in topics if topic.rounds]:
        with replace_file(folder / "results.png") as partial:
            figure.draw(measured, machine.kind(), partial)


def parts(text: str, mark: str) -> dict[str, str]:
    """Heading -> what is below it, of the headings with this mark."""
    _, *found = re.split(rf"^{mark} (.+)\n", text, flags=re.MULTILINE)
    return {heading: body.strip() for heading, body in zip(found[::2], found[1::2], strict=True)}


def joined(texts: dict[str, str], mark: str) -> str:
    return "\n\n".join(f"{mark} {heading}\n\n{text}" for heading, text in texts.items())


def section(topic: Topic) -> str:
    module = topic.module
    lines = [" ".join(module.__doc__.split()), "", machine.describe(), ""]
    lines += [
        f"| variant | {topic.unit} | range | rounds | times {topic.yardstick} | peak memory, GB |",
        "|---|---|---|---|---|---|",
    ]
    for variant in module.VARIANTS:
        if found := topic.values(variant):
            times = topic.ratio(variant, topic.base(variant))
            peak = max(result["peak_memory_gb"] for result in topic.rounds[variant].values())
            span = f"{rounded(min(found))} to {rounded(max(found))}"
            shown = "-" if times is None else f"{times:.2f}"
            lines.append(f"| {variant} | {rounded(median(found))} | {span} | {len(found)} | {shown} | {peak:.2f} |")
    lines += ["", *extras(topic), *targets(topic)]
    lines += [f"- left out: {variant}, {reason}" for variant, reason in topic.left_out.items()]
    lines += [f"- {note}" for note in topic.notes]
    return "\n".join(lines).rstrip()


def extras(topic: Topic) -> list[str]:
    """What the variants said besides; numbers as medians over the rounds."""
    lines = []
    for variant, rounds in topic.rounds.items():
        names = [name for name in next(iter(rounds.values())) if name not in ("value", "peak_memory_gb")]
        if names:
            said = {name: [result[name] for result in rounds.values() if name in result] for name in names}
            lines.append(
                f"- {variant}: " + ", ".join(f"{name.replace('_', ' ')} {middle(said[name])}" for name in said)
            )
    return lines


def middle(found: list) -> str:
    return rounded(median(found)) if all(isinstance(one, int | float) for one in found) else str(found[-1])


def targets(topic: Topic) -> list[str]:
    """The targets that hold for this kind of CPU."""
    lines = []
    for target in topic.targets:
        if not target.holds_for(machine.processor.kind()):
            continue
        found = topic.ratio(target.first, target.second)
        aim = f"{target.first} / {target.second}{f' ({target.label})' if target.label else ''}"
        aim += f": wanted {'at most' if topic.less else 'at least'} {target.wanted:g}"
        if found is None:
            lines.append(f"- {aim}; not measured")
        else:
            reached = found <= target.wanted if topic.less else found >= target.wanted
            lines.append(f"- {aim}, measured {found:.2f}: **{'reached' if reached else 'not reached'}**")
    return lines
