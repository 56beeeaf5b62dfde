"""What was measured, as one picture."""

from pathlib import Path
from statistics import median

import matplotlib.pyplot as plt

from benchmarks.topic import Topic, rounded

OURS, THEIRS = "#1b6ca8", "#b8b8b8"
PER_INCH = 100  # px: the figure is 1000 px wide


def draw(topics: list[Topic], kind: str, path: Path) -> None:
    """A panel per topic, a bar per variant: the median, and a line over the range of the rounds. `kind`: of the CPU."""
    counts = [len(topic.rounds) for topic in topics]
    figure, panels = plt.subplots(
        len(topics), squeeze=False, figsize=(10, 0.9 * len(topics) + 0.36 * sum(counts)), dpi=PER_INCH,
        height_ratios=[count + 1 for count in counts], layout="constrained",
    )  # fmt: skip
    for panel, topic in zip(panels[:, 0], topics, strict=True):
        names = list(topic.rounds)[::-1]
        found = [topic.values(name) for name in names]
        middles = [median(one) for one in found]
        spread = [
            [middle - min(one) for middle, one in zip(middles, found, strict=True)],
            [max(one) - middle for middle, one in zip(middles, found, strict=True)],
        ]
        colours = [OURS if name.startswith("ours") else THEIRS for name in names]
        bars = panel.barh(names, middles, xerr=spread, color=colours, ecolor="#444444", capsize=3)
        panel.bar_label(bars, [rounded(middle) for middle in middles], padding=6)
        panel.set_title(f"{topic.title}, {topic.unit}", loc="left")
        panel.margins(x=0.12)
        panel.spines[["top", "right", "bottom"]].set_visible(False)
        panel.tick_params(axis="x", bottom=False, labelbottom=False)
    figure.suptitle(f"CPU: {kind}", x=0.01, ha="left")
    figure.savefig(path, format="png")
    plt.close(figure)
