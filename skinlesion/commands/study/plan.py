"""The study's plan: one experiment per preset and protocol, with every value that it will run with."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from skinlesion.commands.preset import presets
from skinlesion.runtime import params, paths
from skinlesion.runtime.errors import UserError
from skinlesion.runtime.params import Params
from skinlesion.runtime.params.messages import hint

Protocol = Literal["image", "lesion"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)


@dataclass(frozen=True)
class Run:
    """One experiment: its overrides for `dvc exp run -S`, and the params that they give."""

    preset: str
    protocol: Protocol
    overrides: list[str]
    params: Params

    @property
    def name(self) -> str:
        return name(self.preset, self.protocol)


def name(preset: str, protocol: str) -> str:
    """The experiment's name: the same in every study, so that a second run finds what is there."""
    return f"study-{preset}-{protocol}"


def plan(chosen: list[str], protocols: list[str], extra: list[str]) -> list[Run]:
    """All runs of a study, checked before the first one starts.

    Args:
        chosen: presets; none means all published systems.
        extra: overrides `key=value` that reach every run, after the preset's own.

    Raises:
        UserError: an unknown preset or protocol, or params that a stage would refuse.
    """
    for protocol in protocols:
        if protocol not in PROTOCOLS:
            raise UserError(f"no protocol is named {protocol!r}{hint(protocol, list(PROTOCOLS))}")
    return [
        make(preset, protocol, extra)
        for preset in dict.fromkeys(chosen or presets.published())
        for protocol in dict.fromkeys(protocols)
    ]


def make(preset: str, protocol: Protocol, extra: list[str]) -> Run:
    content = yaml.safe_load(paths.PARAMS.read_text(encoding="utf-8"))
    overlay = presets.differences(content, presets.load(preset).params)
    overrides = [f"{'.'.join(key)}={in_hydra(value)}" for key, value in overlay.items()]
    overrides += [f"split.protocol={protocol}", *extra]
    what = f"{name(preset, protocol)}: {paths.PARAMS}"
    settings = params_with(overrides, what)
    if settings.split.protocol != protocol:
        raise UserError("-S split.protocol: the study runs every preset under each protocol; choose with --protocol")
    if moved := elsewhere(settings):
        overrides += moved
        settings = params_with(overrides, what)
    return Run(preset, protocol, overrides, settings)


def params_with(overrides: list[str], what: str) -> Params:
    """What params.yaml and networks.yaml become by overrides, by DVC's own hand.

    Raises:
        UserError: DVC does not understand an override, or a stage would refuse the values.
    """
    from dvc.exceptions import DvcException
    from dvc.utils import hydra
    from dvc.utils.cli_parse import to_path_overrides
    from hydra.errors import HydraException

    with tempfile.TemporaryDirectory() as folder:
        copies = {path.as_posix(): Path(folder) / path for path in (paths.PARAMS, paths.NETWORKS)}
        for name, copy in copies.items():
            copy.write_bytes(Path(name).read_bytes())
        try:
            for name, given in to_path_overrides(overrides).items():
                if name not in copies:
                    raise UserError(f"an override (-S) names {name}. Known: {', '.join(copies)}")
                refuse_sweeps(hydra.to_hydra_overrides(given))
                hydra.apply_overrides(copies[name], given)
        except (DvcException, HydraException) as error:
            reason = str(error.__cause__ or error).strip().splitlines()[0]
            raise UserError(f"an override (-S) cannot be used: {reason}") from None
        changed, networks = copies.values()
        return params.of(params.read(changed), what, networks)


def refuse_sweeps(overrides: list) -> None:
    for override in overrides:
        if override.is_sweep_override():
            raise UserError(f"-S {override.input_line}: a study takes one value; an experiment is named by its preset")


def elsewhere(settings: Params) -> list[str]:
    """Overrides that make paths absolute: an experiment runs in a copy of the repository, where relative ones fail."""
    archive, weights = settings.data.archive, settings.model.weights
    moved = []
    if archive and not archive.expanduser().is_absolute():
        moved.append(f"data.archive={in_hydra(str(archive.resolve()))}")
    if weights not in (None, "imagenet") and not Path(weights).is_absolute():
        moved.append(f"model.weights={in_hydra(str(Path(weights).resolve()))}")
    return moved


def in_hydra(value: Any) -> str:
    """A value in the grammar of `dvc exp run -S`, which is Hydra's."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{in_hydra(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(in_hydra(one) for one in value) + "]"
    if isinstance(value, str):
        return "'" + value.replace("\\'", "\\\\'").replace("'", "\\'") + "'"
    return "null" if value is None else str(value).lower()
