"""What a check of the machine found, in words: state, what is so, and what to do about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "problem"]


@dataclass(frozen=True)
class Finding:
    """`problem` means that the pipeline as configured cannot run; `note`, that somebody may want to do something."""

    state: State
    text: str
    remedy: str = ""


def ok(text: str) -> Finding:
    return Finding("ok", text)


def note(text: str, remedy: str) -> Finding:
    return Finding("note", text, remedy)


def problem(text: str, remedy: str) -> Finding:
    return Finding("problem", text, remedy)


def in_words(found: Sequence[tuple[str, Finding]]) -> str:
    """A line for each check's finding, what to do about it below; then how many of each, and whether the chain runs."""
    lines, indent = [], " " * 22
    for name, finding in found:
        lines.append(f"{finding.state:<8} {name:<12} {finding.text}".replace("\n", f"\n{indent}"))
        lines += [f"{indent}-> {finding.remedy}"] * bool(finding.remedy)
    states = [finding.state for _, finding in found]
    problems = states.count("problem")
    verdict = "cannot run before the problems are solved" if problems else "can run"
    counts = f"{states.count('ok')} ok, {states.count('note')} notes, {problems} problems"
    return "\n".join([*lines, f"doctor: {counts}; the pipeline as params.yaml configures it {verdict}"])
