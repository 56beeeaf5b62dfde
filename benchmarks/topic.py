"""One topic: a module of VARIANTS, and what was measured of it."""

from dataclasses import dataclass, field
from statistics import median
from types import ModuleType


@dataclass
class Topic:
    """A module of this folder with VARIANTS, and its results.

    rounds: variant -> round, from 1 -> what its process said: value, peak_memory_gb and what else it has to say.
    left_out: variant -> why it has no value, or fewer than the others.
    """

    name: str
    module: ModuleType
    rounds: dict[str, dict[int, dict]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

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
