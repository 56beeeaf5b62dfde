"""The study's plan: one experiment per preset and protocol, with every value that it will run with."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from skinlesion.commands.overrides import override
from skinlesion.commands.preset import presets
from skinlesion.runtime import params, paths
from skinlesion.runtime.errors import UserError
from skinlesion.runtime.params import Params

PROTOCOLS = ("image", "lesion")


@dataclass(frozen=True)
class Run:
    """One experiment: overrides for `dvc exp run -S`, the params that they give, and the same as YAML, by file."""

    name: str
    overrides: list[str]
    params: Params
    contents: dict[str, Any]

    @property
    def max_epochs(self) -> int:
        """How many epochs the run has if nothing stops it early."""
        cap = self.params.train.max_epochs
        return sum(min(phase.epochs, cap or phase.epochs) for phase in self.params.phases)


def run_name(preset: str, protocol: str) -> str:
    """The experiment's name: the same in every study, so that a later study recognizes the run."""
    return f"study-{preset}-{protocol}"


def plan_runs(chosen: list[str], protocols: list[str], extra: list[str]) -> list[Run]:
    """Plan all runs of a study. Raises UserError for an unknown preset, or params that a stage would refuse.

    Args:
        chosen: names of presets; none means all published systems.
        extra: overrides `key=value` for every run, after the preset's own.
    """
    names = dict.fromkeys(chosen or presets.list_published())
    return [plan_run(preset, protocol, extra) for preset in names for protocol in protocols]


def plan_run(preset: str, protocol: str, extra: list[str]) -> Run:
    return make_run(run_name(preset, protocol), presets.load(preset).params, protocol, extra)


def make_run(name: str, values: dict[str, Any], protocol: str, extra: list[str]) -> Run:
    """Make a run of the params `values`, those of a preset, with further overrides `key=value`."""
    changes = presets.differences(params.read(paths.PARAMS), values)
    overrides = [f"{'.'.join(key)}={in_hydra(value)}" for key, value in changes.items()]
    overrides += [f"split.protocol={protocol}", *extra]
    settings, contents = override_params(overrides, name)
    if settings.split.protocol != protocol:
        remedy = "Use --protocol instead, or the protocols of the plan"
        raise UserError(f"-S split.protocol conflicts with the protocols of the study. {remedy}")
    if absolute := absolute_paths(settings):
        overrides += absolute
        settings, contents = override_params(overrides, name)
    return Run(name, overrides, settings, contents)


def override_params(overrides: list[str], run: str) -> tuple[Params, dict[str, Any]]:
    """Apply overrides to copies of params.yaml and networks.yaml, with DVC's own parser.

    Returns the params, checked, and the content of the two files. Raises UserError if DVC does not understand an
    override, or a stage would refuse the values.
    """
    documents = {path: path.read_text(encoding="utf-8") for path in (paths.PARAMS, paths.NETWORKS)}
    with override(documents, overrides) as (changed, networks):
        files = zip(documents, (changed, networks), strict=True)
        contents = {
            path.as_posix(): YAML(typ="safe").load(file) for path, file in files
        }  # as `dvc exp show` reads them
        return params.check_params(params.read(changed), f"{run}: {paths.PARAMS}", networks), contents


def absolute_paths(settings: Params) -> list[str]:
    """Overrides that make relative paths absolute: an experiment runs in a copy of the repository, elsewhere."""
    values = {
        "data.archive": settings.data.archive,
        "external.archive": settings.external.archive,
        "model.weights": settings.model.weights,
    }
    files = {key: Path(value).expanduser() for key, value in values.items() if value not in (None, "imagenet")}
    return [f"{key}={in_hydra(str(file.resolve()))}" for key, file in files.items() if not file.is_absolute()]


def in_hydra(value: Any) -> str:
    """A value in the grammar of `dvc exp run -S`, which is Hydra's."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{in_hydra(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(in_hydra, value)) + "]"
    if isinstance(value, str):
        return "'" + value.replace("\\'", "\\\\'").replace("'", "\\'") + "'"
    return "null" if value is None else str(value).lower()
