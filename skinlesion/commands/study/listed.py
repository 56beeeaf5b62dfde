"""The list of a study's runs: a YAML document of systems, whose results are kept in the folder of the document."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from skinlesion.commands.preset import presets
from skinlesion.commands.study.plan import Run, make_run
from skinlesion.runtime import params
from skinlesion.runtime.errors import UserError
from skinlesion.runtime.params.messages import hint
from skinlesion.runtime.params.rows import Count, Section, Seed


class Row(Section):
    """Runs of one system: each protocol with each seed, or each fold of a cross-validation.

    set: overrides `key=value` after those of the study. omitted: why it runs only where somebody names it. short: it is
    in the short table, too.
    """

    system: Annotated[str, Field(pattern=r"^\w+$")]
    title: str
    preset: str
    protocols: list[Literal["image", "lesion"]]
    seeds: Annotated[list[Seed], Field(min_length=1)]
    folds: Count | None = None
    set: list[str]
    omitted: str | None = None
    short: bool = False

    @model_validator(mode="after")
    def check(self) -> "Row":
        if self.folds and len(self.seeds) > 1:
            raise ValueError(f"{self.system} has folds and {len(self.seeds)} seeds. Give one seed, or no folds")
        return self


class Study(Section):
    """A study: the preset below that of each row, overrides of all, bootstrap draws and their seed, rows in order."""

    about: str
    base: str
    set: list[str]
    bootstrap: Annotated[int, Field(ge=100)]
    seed: Seed
    rows: list[Row]

    @model_validator(mode="after")
    def check(self) -> "Study":
        names = [unit.name for unit in list_units(self)]
        if double := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"{', '.join(double)}: two rows have runs of this name. Change one")
        return self


@dataclass(frozen=True)
class Unit:
    """What has a result: a run, or several pooled by their predictions, its `members` (none: it is a run).

    label: seed17, fold0, ensemble (mean of the probabilities) or folds (cross-validation).
    """

    row: Row
    protocol: str
    label: str
    overrides: tuple[str, ...] = ()
    members: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.row.system}-{self.protocol}-{self.label}"


def read(path: Path) -> Study:
    """Read a plan; raise UserError where it is missing, or has unknown keys or wrong values."""
    if not path.is_file():
        raise UserError(f"--plan {path} is no file. Correct the path")
    return params.check(params.read(path), Study, str(path))


def list_units(study: Study) -> list[Unit]:
    """List all runs, and after those of a row the unit that pools them."""
    units = []
    for row in study.rows:
        overrides = {f"seed{seed}": (f"seed={seed}",) for seed in row.seeds}
        if row.folds:
            folds = (f"seed={row.seeds[0]}", f"split.folds={row.folds}")
            overrides = {f"fold{fold}": (*folds, f"split.fold={fold}") for fold in range(row.folds)}
        for protocol in row.protocols:
            runs = [Unit(row, protocol, label, words) for label, words in overrides.items()]
            units += runs
            if len(runs) > 1:
                members = tuple(unit.name for unit in runs)
                units.append(Unit(row, protocol, "folds" if row.folds else "ensemble", members=members))
    return units


def plan_listed(path: Path, chosen: list[str], extra: list[str]) -> list[Run]:
    """Plan the runs of a list, in its order. Raises UserError as `plan_runs` does.

    Args:
        chosen: names of runs or systems; none means all that are not omitted.
        extra: overrides `key=value` for every run, after all others.
    """
    study = read(path)
    units = [unit for unit in list_units(study) if not unit.members]
    known = dict.fromkeys(name for unit in units for name in (unit.row.system, unit.name))
    if unknown := [name for name in chosen if name not in known]:
        raise UserError(f"{path} has no run or system {unknown[0]!r}{hint(unknown[0], list(known))}")
    base = presets.load(study.base).params
    runs = []
    for unit in units:
        if {unit.row.system, unit.name} & {*chosen} if chosen else not unit.row.omitted:
            values = presets.overlay(base, presets.load(unit.row.preset).params)
            overrides = [*study.set, *unit.row.set, *unit.overrides, *extra]
            runs.append(make_run(unit.name, values, unit.protocol, overrides))
        elif not chosen:
            print(f"{unit.name}: left out: {unit.row.omitted}", flush=True)
    return runs
