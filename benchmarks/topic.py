"""One topic: a module of VARIANTS, and what was measured of it."""

from dataclasses import dataclass, field
from statistics import median
from types import ModuleType
from typing import NamedTuple


class Target(NamedTuple):
    """What `first` / `second` is wanted to be at least, or at most where less is better.

    kinds: of CPU that it holds for; none: all. label: what the ratio mostly shows.
    """

    first: str
    second: str
    wanted: float
    kinds: tuple[str, ...] = ()
    label: str = ""

    def holds_for(self, kind: str) -> bool:
        return not self.kinds or kind in self.kinds


@dataclass
class Topic:
    """A module of this folder with VARIANTS, and its results.

    rounds: variant -> round, from 1 -> what its process said: value, peak_memory_gb and what else it has to say.
    left_out: variant -> why it has no value, or fewer than the others. notes: on the whole.
    """

    name: str
    module: ModuleType
    rounds: dict[str, dict[int, dict]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        return self.name.replace("_", " ")

    @property
    def unit(self) -> str:
        return f"{self.module.UNIT}{', less is better' if self.less else ''}"

    @property
    def less(self) -> bool:
        """Whether less is better."""
        return getattr(self.module, "LESS", False)

    @property
    def targets(self) -> list[Target]:
        return [Target(*row) for row in getattr(self.module, "TARGETS", [])]

    @property
    def yardstick(self) -> str:
        """What the table's ratios are to: ours, or the first variant."""
        first = next(iter(self.module.VARIANTS))
        return "ours" if first.startswith("ours") else first

    def base(self, variant: str) -> str:
        """The variant that the table compares it with: the next of ours from it upwards, else the first."""
        above = list(self.module.VARIANTS)
        above = above[: above.index(variant) + 1]
        return next((name for name in reversed(above) if name.startswith("ours")), above[0])

    def values(self, variant: str) -> list[float]:
        return [result["value"] for result in self.rounds.get(variant, {}).values()]

    def ratio(self, first: str, second: str) -> float | None:
        """Median over the rounds that both have of first / second; None where there is none."""
        one, other = (self.rounds.get(variant, {}) for variant in (first, second))
        pairs = [(one[number]["value"], other[number]["value"]) for number in one if number in other]
        return median(a / b for a, b in pairs) if pairs else None


def rounded(value: float) -> str:
    """Four figures, or whole: 2.453, 32.66, 5,249, 289,312."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"
