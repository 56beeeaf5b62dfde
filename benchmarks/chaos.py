"""Kill the chain with -9 at random moments; `dvc repro` after each must end with the dvc.lock of an uninterrupted run.

python benchmarks/chaos.py --seed 1 --kills 20
python benchmarks/chaos.py --kills 5 --params balance.per_class=20 images.size=32 train.max_epochs=2
"""

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
LITTER = (".partial-*", ".progress-*")
# What a kill of DVC itself can leave, by what the next `dvc repro` says of it; as docs/troubleshooting.md advises.
REMEDIES = {
    r"RWLock-file .*(corrupted|format error)": "rm .dvc/tmp/rwlock",
    r"unable to read: 'dvc.lock'|dvc.lock' validation failed": "git checkout dvc.lock",
}


def main() -> int:
    options = parse()
    draw = random.Random(options.seed)
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    reference, disturbed = (clone(folder / name, options.params) for name in ("reference", "disturbed"))
    timeline = undisturbed(reference)
    total = timeline[-1][1]
    print(f"undisturbed: {total:.0f} s, {', '.join(f'{stage} from {at:.0f}' for stage, at in timeline[:-1])}")
    # Each stage has its turn; the other kills are spread evenly over the time of the chain.
    spans = [(at, after) for (_, at), (_, after) in pairwise(timeline)]
    chosen = draw.sample(spans, min(len(spans), options.kills)) + [(0, total)] * (options.kills - len(spans))
    for number, moment in enumerate(sorted(draw.uniform(*span) for span in chosen), 1):
        print(f"kill {number} at {moment:.1f} s: {killed(disturbed, timeline, moment, draw)}", flush=True)
    repro(disturbed)
    wrong = differences(reference, disturbed)
    print(f"seed {options.seed}: " + ("the same dvc.lock, metrics and plots" if not wrong else f"differ: {wrong}"))
    print(f"both clones are kept in {folder}" if wrong else "no litter is left")
    if not wrong:
        shutil.rmtree(folder)
    return bool(wrong)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--params", nargs="*", default=[], metavar="key=value", help="for both runs, over params.yaml")
    return parser.parse_args()


def clone(folder: Path, changes: list[str]) -> Path:
    """The committed state, with its own cache, and params with the changes."""
    subprocess.run(["git", "clone", "-q", ROOT, folder], check=True)
    params = yaml.safe_load((folder / "params.yaml").read_text())
    for key, _, value in (change.partition("=") for change in changes):
        *sections, last = key.split(".")
        section = params
        for name in sections:
            section = section[name]
        section[last] = yaml.safe_load(value)
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    return folder


def start(folder: Path, *words: str) -> subprocess.Popen:
    """`dvc repro` as the leader of its process group; what it says goes to a file."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    site = {"PATH": path, "DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(folder.parent / "site")}
    command = [sys.executable, "-m", "dvc", "repro", *words]
    with log_of(folder).open("w") as log:
        return subprocess.Popen(
            command, cwd=folder, env={**os.environ, **site}, stdout=log, stderr=log, start_new_session=True
        )


def log_of(folder: Path) -> Path:
    return folder.with_suffix(".log")


def running(folder: Path) -> str:
    """The stage that DVC started last; before the first, `start`."""
    return ["start", *re.findall(r"Running stage '(\w+)'", log_of(folder).read_text())][-1]


def undisturbed(folder: Path) -> list[tuple[str, float]]:
    """When each stage began, in seconds from the start; the last entry is the end."""
    process, begin, timeline = start(folder), time.monotonic(), [("start", 0.0)]
    while process.poll() is None:
        time.sleep(0.05)
        if (stage := running(folder)) != timeline[-1][0]:
            timeline.append((stage, time.monotonic() - begin))
    if process.returncode:
        sys.exit(f"the undisturbed run failed:\n{log_of(folder).read_text()}")
    return [*timeline, ("end", time.monotonic() - begin)]


def repro(folder: Path) -> None:
    """Run to the end."""
    for _ in REMEDIES:
        if not start(folder).wait():
            return
        remedy(folder)
    sys.exit(f"the remedies did not help:\n{log_of(folder).read_text()}")


def remedy(folder: Path) -> None:
    """Where DVC stumbles over what the kill left of its own files, do as docs/troubleshooting.md says; else give up."""
    said = log_of(folder).read_text()
    known = [command for words, command in REMEDIES.items() if re.search(words, said)]
    if not known:
        sys.exit(f"dvc repro failed:\n{said}")
    print(f"  DVC stumbled over what the kill left: {known[0]}")
    subprocess.run(known[0].split(), cwd=folder, check=True)


def killed(folder: Path, timeline: list[tuple[str, float]], moment: float, draw: random.Random) -> str:
    """Start the chain, kill it where the undisturbed run was at `moment`; say where that was, and what lay about."""
    stages = [stage for stage, _ in timeline]
    target, began = [entry for entry in timeline if entry[1] <= moment][-1]
    process = start(folder)
    reached = None
    while (code := process.poll()) is None:
        now = stages.index(running(folder))
        if now >= stages.index(target):
            reached = reached or time.monotonic()
            if now > stages.index(target) or time.monotonic() - reached >= moment - began:
                break
        time.sleep(0.02)
    if code:
        remedy(folder)
        return killed(folder, timeline, moment, draw)
    if code == 0:  # all is done: make one stage run again, against the run-cache too
        target = draw.choice(stages[1:-1])
        process = start(folder, "--force", "--single-item", target)
        time.sleep(draw.uniform(0, 5))
    stage = running(folder)
    kill(process)
    left = litter(folder)
    if not (folder / "dvc.lock").read_bytes().endswith(b"\n"):  # DVC writes it in place, and may believe what is left
        left.append("dvc.lock, cut off: git checkout dvc.lock")
        subprocess.run(["git", "checkout", "-q", "dvc.lock"], cwd=folder, check=True)
    return f"{stage}; left behind: {', '.join(left) or 'nothing half-done'}"


def kill(process: subprocess.Popen) -> None:
    """The whole group with -9, and wait until none of it is left."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        while True:
            os.killpg(process.pid, 0)
            time.sleep(0.01)
    except ProcessLookupError:
        process.wait()


def litter(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for pattern in LITTER for path in folder.rglob(pattern))


def differences(reference: Path, disturbed: Path) -> list[str]:
    """The files of results that are not the same in both, and litter."""
    one, other = results(reference), results(disturbed)
    return [*(name for name in sorted(one | other) if one.get(name) != other.get(name)), *litter(disturbed)]


def results(folder: Path) -> dict[str, bytes]:
    """dvc.lock, and what metrics/ and plots/ hold, less the times."""
    paths = [folder / "dvc.lock", *(folder / "metrics").rglob("*"), *(folder / "plots").rglob("*")]
    files = [path for path in paths if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


if __name__ == "__main__":
    sys.exit(main())
