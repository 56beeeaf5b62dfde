"""Measure ours and what people use side by side; benchmarks/results.md and results.png tell.

A topic is a module of this folder with VARIANTS. They take turns (round 1: every one, round 2: every one, ...), each
in a process of its own, so that what else the machine does meets all alike. Ctrl-C keeps what was measured.
"""

import argparse
import importlib
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from benchmarks import machine, report
from benchmarks.topic import Topic
from skinlesion.train.machine import processor

FAILED = "failed"
FOLDER = Path(__file__).parent
ROUNDS = 3


def main(words: list[str] | None = None, folder: Path = FOLDER) -> int:
    """Measure the topics named, or all; exit code 1 where one that could be measured failed."""
    names = find(folder)
    options = parse(words, names)
    os.environ.update(machine.EMULATIONS.get(options.emulate, {}))
    chosen = [name for name in names if name in options.topics] or names
    topics = [Topic(name, importlib.import_module(f"{folder.name}.{name}")) for name in chosen]
    measured = []
    try:
        for topic in topics:
            measured.append(topic)
            measure(topic, options, folder)
    except KeyboardInterrupt:
        print(f"interrupted; not begun: {', '.join(chosen[len(measured) :]) or 'none'}", file=sys.stderr)
        measured[-1].notes.append("interrupted")
    if options.quick or options.only:
        print("\n\n".join(report.section(topic) for topic in measured if topic.rounds))
        print("a trial, not written to results.md", file=sys.stderr)
    else:
        report.write(measured, folder)
        print(f"written: {folder / 'results.md'} and results.png", file=sys.stderr)
    return int(any(FAILED in reason for topic in measured for reason in topic.left_out.values()))


def parse(words: list[str] | None, names: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__.splitlines()[0])
    parser.add_argument("topics", nargs="*", metavar="topic", help=f"of {', '.join(names)}; all where none is named")
    parser.add_argument("--rounds", type=int, help="how often each variant is measured; else as the topic says")
    parser.add_argument("--quick", action="store_true", help="a trial: one round of each, printed, not written")
    parser.add_argument(
        "--only",
        default="",
        metavar="WORDS",
        help="a trial: variants with all these words in their or their topic's name",
    )
    parser.add_argument(
        "--emulate", choices=machine.EMULATIONS, help="a kind of CPU, by leaving newer instructions out"
    )
    options = parser.parse_args(words)
    if unknown := [name for name in options.topics if name not in names]:
        parser.error(f"no topic is named {', '.join(unknown)}. There are: {', '.join(names)}")
    return options


def find(folder: Path) -> list[str]:
    """The modules of `folder` that define VARIANTS."""
    modules = sorted(folder.glob("*.py"))
    return [path.stem for path in modules if re.search(r"^VARIANTS\b", path.read_text(encoding="utf-8"), re.MULTILINE)]


def measure(topic: Topic, options: argparse.Namespace, folder: Path) -> None:
    """Fill the topic in, round by round. A variant that lacks something, or fails, is left out from then on."""
    kinds = getattr(topic.module, "KINDS", ())
    if kinds and processor.kind() not in kinds:
        print(f"{topic.name}: not for {processor.kind()}, but for {', '.join(kinds)}", file=sys.stderr)
        return
    wanted = [word.strip().lower() for word in options.only.split(",")]
    variants = [
        name for name in topic.module.VARIANTS if all(word in f"{topic.name}, {name}".lower() for word in wanted)
    ]
    for variant, need in getattr(topic.module, "NEEDS", {}).items():
        if variant in variants and not is_there(need):
            topic.left_out[variant] = f"{need} is not there"
            print(f"{topic.name}: {variant}: left out, {need} is not there", file=sys.stderr)
    rounds = 1 if options.quick else options.rounds or getattr(topic.module, "ROUNDS", ROUNDS)
    for number in range(1, rounds + 1):
        for variant in variants:
            if variant in topic.left_out:
                continue
            said = f"{topic.name}, round {number} of {rounds}: {variant}"
            try:
                result = once(topic.name, variant, folder)
            except (subprocess.CalledProcessError, ValueError, LookupError) as error:
                reason = last_line(getattr(error, "stderr", "")) or str(error)
                topic.left_out[variant] = f"{FAILED} in round {number}: {reason}"
                print(f"{said}: {FAILED}: {reason}", file=sys.stderr)
                continue
            topic.rounds.setdefault(variant, {})[number] = result
            print(f"{said}: {result['value']:.4g} {topic.module.UNIT}", file=sys.stderr, flush=True)


def is_there(need: str) -> bool:
    """Whether an environment variable is set, or a package can be imported."""
    return bool(os.environ.get(need)) or importlib.util.find_spec(need) is not None


def once(topic: str, variant: str, folder: Path) -> dict:
    """What one process says of a variant: the last line that it prints is JSON."""
    command = [sys.executable, "-m", f"{folder.name}.{topic}", variant]
    paths = [str(folder.parent), str(FOLDER.parent), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    environment.pop(processor.ONEDNN, None)  # which the import of skinlesion, here, has set
    done = subprocess.run(command, cwd=folder.parent, env=environment, capture_output=True, text=True, check=True)
    result = json.loads(last_line(done.stdout))
    result["value"] = float(result["value"])
    return result


def last_line(text: str | None) -> str:
    return next(iter((text or "").strip().splitlines()[::-1]), "")


if __name__ == "__main__":
    sys.exit(main())
