"""Presets: one document per published system and per data set, laid over params.yaml."""

from pathlib import Path
from typing import Any, Literal

import yaml

from skinlesion.commands.preset import yaml_edit
from skinlesion.commands.preset.yaml_edit import Key
from skinlesion.runtime import params, paths
from skinlesion.runtime.errors import UserError
from skinlesion.runtime.files import replace_file
from skinlesion.runtime.params.messages import hint
from skinlesion.runtime.params.rows import Section
from skinlesion.runtime.params.sections import Fraction

PRESETS = Path("presets")
Measure = Literal["accuracy", "balanced_accuracy", "f1_macro", "f1_weighted", "roc_auc_macro"]  # of metrics/test.json


class Preset(Section):
    """A document of presets/: where a system comes from, what it published, what we chose, and its params."""

    title: str
    source: str
    published: dict[Measure, Fraction]
    left_open: list[str]
    params: dict[str, Any]


def names() -> list[str]:
    """All presets, the published systems first."""
    found = sorted(path.stem for path in PRESETS.glob("*.yaml"))
    return sorted(found, key=lambda name: not load(name).published)


def published() -> list[str]:
    """The presets of published systems."""
    return [name for name in names() if load(name).published]


def text(name: str) -> str:
    """The document as it is written.

    Raises:
        UserError: there is none of that name.
    """
    path = PRESETS / f"{name}.yaml"
    known = sorted(one.stem for one in PRESETS.glob("*.yaml"))
    if name not in known:
        raise UserError(f"no preset is named {name!r}{hint(name, known)}")
    return path.read_text(encoding="utf-8")


def load(name: str) -> Preset:
    """Read and check a preset.

    Raises:
        UserError: there is none of that name, or its document has unknown keys or wrong values.
    """
    where = str(PRESETS / f"{name}.yaml")
    try:
        content = yaml.safe_load(text(name))
    except yaml.YAMLError as error:
        raise UserError(f"{where} is not valid YAML: {error}") from None
    return params.check(content, Preset, where)


def differences(content: dict, overlay: dict, at: Key = ()) -> dict[Key, Any]:
    """The values of `overlay` that differ from those of `content`, by their path of keys."""
    found: dict[Key, Any] = {}
    for name, value in overlay.items():
        old = content.get(name)
        if isinstance(value, dict) and isinstance(old, dict):
            found |= differences(old, value, (*at, name))
        elif old != value or isinstance(old, bool) != isinstance(value, bool):
            found[(*at, name)] = value
    return found


def apply(name: str) -> list[str]:
    """Lay a preset over params.yaml, in place: comments and order stay. Returns a line for each value that changed.

    Raises:
        UserError: there is no such preset, or params.yaml with it cannot be used; nothing is changed then.
    """
    params.load()
    before = paths.PARAMS.read_text(encoding="utf-8")
    content = yaml.safe_load(before)
    changes = differences(content, load(name).params)
    after = yaml_edit.replace(before, changes)
    params.of(yaml.safe_load(after), f"{paths.PARAMS} with preset {name}")
    if changes:
        with replace_file(paths.PARAMS) as partial:
            partial.write_text(after, encoding="utf-8")
    return [f"{'.'.join(key)}: {in_yaml(value_at(content, key))} -> {in_yaml(changes[key])}" for key in changes]


def value_at(content: Any, key: Key) -> Any:
    for name in key:
        content = content[name]
    return content


def in_yaml(value: Any) -> str:
    return yaml_edit.written(value, "").strip()
