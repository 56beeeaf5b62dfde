"""What was measured, as results.md and results.png."""

import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

from benchmarks import figure
from benchmarks.topic import Topic, rounded
from skinlesion.files import replace_file

PACKAGES = (
    *("keras", "keras-hub", "tensorflow", "torch", "jax", "numpy"),
    *("pillow", "simplejpeg", "opencv-python-headless", "joblib", "dvc"),
)
ARCHIVES = ("HAM10000_ARCHIVE", "HAM10000_600x450")


def write(topics: list[Topic], notes: list[str], folder: Path) -> None:
    """Write results.md and results.png into `folder`; `notes` say what was left out of the run as a whole."""
    parts = ["# Measured side by side", "`make bench` wrote this. " + HOW, machine()]
    parts += [section(topic) for topic in topics if topic.rounds or topic.left_out]
    if notes:
        parts.append("## Left out\n\n" + "\n".join(f"- {note}" for note in notes))
    with replace_file(folder / "results.md") as partial:
        partial.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    if measured := [topic for topic in topics if topic.rounds]:
        with replace_file(folder / "results.png") as partial:
            figure.draw(measured, partial)


HOW = (
    "Variants take turns, each round of each in a process of its own. The figures are medians over the rounds, with "
    "the lowest and the highest; ratios are medians of the ratios within a round. Peak memory is that of the process."
)


def machine() -> str:
    """What the numbers hang on: machine, versions, commit, data."""
    versions = [f"python {platform.python_version()}"]
    versions += [f"{name} {found}" for name in PACKAGES if (found := version_of(name))]
    given = [f"{name}: {'given' if os.environ.get(name) else 'not given, so synthetic images'}" for name in ARCHIVES]
    gpu = "a GPU is there" if shutil.which("nvidia-smi") else "no GPU"
    return "\n".join(
        [
            f"- machine: {cpu()}, {os.cpu_count()} cores, {gpu}, {platform.system()}",
            f"- versions: {', '.join(versions)}",
            f"- commit: {commit()}",
            f"- real images: {'; '.join(given)}",
        ]
    )


def cpu() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def version_of(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def commit() -> str:
    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--", "../skinlesion", "../stages", ".", ":!results.md", ":!results.png")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + (", with changes not committed" if changed else "")


def section(topic: Topic) -> str:
    module = topic.module
    best, *_ = module.VARIANTS
    lines = [f"## {topic.title}", "", " ".join(module.__doc__.split()), ""]
    lines += [
        f"| variant | {topic.unit} | range | rounds | times {best} | peak memory, GB |",
        "|---|---|---|---|---|---|",
    ]
    for variant in module.VARIANTS:
        if found := topic.values(variant):
            times = topic.ratio(variant, best)
            peak = max(result["peak_memory_gb"] for result in topic.rounds[variant].values())
            span = f"{rounded(min(found))} to {rounded(max(found))}"
            shown = "-" if times is None else f"{times:.2f}"
            lines.append(f"| {variant} | {rounded(median(found))} | {span} | {len(found)} | {shown} | {peak:.2f} |")
    lines += ["", *extras(topic), *targets(topic)]
    lines += [f"- left out: {variant}, {reason}" for variant, reason in topic.left_out.items()]
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
    lines = []
    for first, second, wanted in getattr(topic.module, "TARGETS", []):
        found = topic.ratio(first, second)
        aim = f"{first} / {second}: wanted {'at most' if topic.less else 'at least'} {wanted:g}"
        if found is None:
            lines.append(f"- {aim}; not measured")
        else:
            reached = found <= wanted if topic.less else found >= wanted
            lines.append(f"- {aim}, measured {found:.2f}: **{'reached' if reached else 'not reached'}**")
    return lines
