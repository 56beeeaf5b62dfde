"""What the tables and figures of the results page are made of."""

from dataclasses import dataclass

import pandas as pd

from skinlesion.commands.study.listed import Study
from skinlesion.commands.study.recorded import Result
from skinlesion.evaluate.external import SPLIT
from skinlesion.report.table import Estimate

SETS = {"test": "test", SPLIT: "ISIC 2018"}


@dataclass(frozen=True)
class Content:
    """All results of a study, by name; their scores by name and split; what leakage adds (inflation.measure)."""

    plan: str
    study: Study
    results: dict[str, Result]
    scores: dict[tuple[str, str], dict[str, Estimate]]
    inflation: pd.DataFrame

    @property
    def by_lesion(self) -> list[Result]:
        """The results by lesion, but for single folds."""
        results = (result for result in self.results.values() if result.unit.protocol == "lesion")
        return [result for result in results if result.unit.members or not result.unit.row.folds]

    @property
    def seeds(self) -> list[Result]:
        """The runs of the plan's first system by lesion, one per seed."""
        first = [result for result in self.by_lesion if result.unit.row.system == self.study.rows[0].system]
        return [result for result in first if not result.unit.members]

    def pick(self, *labels: str) -> Result | None:
        """The first of these pools of the plan's first system that is complete, or else its first run."""
        names = [f"{self.study.rows[0].system}-lesion-{label}" for label in labels]
        there = [*(self.results[name] for name in names if name in self.results), *self.seeds]
        return there[0] if there else None

    def list_sets(self, result: Result) -> dict[str, str]:
        """Those of SETS of which a result has images."""
        return {split: words for split, words in SETS.items() if (result.unit.name, split) in self.scores}
