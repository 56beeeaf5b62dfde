"""Presets: one document per published system and per data set; applying one sets its values in params.yaml."""

from collections.abc import Sequence
from functools import reduce
from io import StringIO
from operator import getitem
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field
from ruamel.yaml import YAML
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import RoundTripRepresenter

from skinlesion.commands.overrides import override
from skinlesion.runtime import params, paths
from skinlesion.runtime.errors import UserError
from skinlesion.runtime.files import write_text
from skinlesion.runtime.params.messages import hint
from skinlesion.runtime.params.rows import Count, Section
from skinlesion.runtime.params.sections import Fraction

PRESETS = Path("presets")
Key = tuple[str, ...]
Measure = Literal["accuracy", "balanced_accuracy", "f1_macro", "f1_weighted", "roc_auc_macro"]  # of metrics/test.json


class Trial(Section):
    """A training of a search: what it changed, and its best epoch on validation."""

    change: str
    epochs: Count
    balanced_accuracy: Fraction
    log_loss: Annotated[float, Field(ge=0)]
    roc_auc_macro: Fraction


class Search(Section):
    """How the values of a preset were chosen, on validation alone: what all trials share, and each trial."""

    about: str
    trials: list[Trial]


class Preset(Section):
    """A document of presets/: a system's source, its published numbers, what we had to choose, and its params."""

    title: str
    source: str
    published: dict[Measure, Fraction]
    left_open: list[str]
    search: Search | None = None
    params: dict[str, Any]


def list_names() -> list[str]:
    """List all presets, the published systems first."""
    return sorted(sorted(path.stem for path in PRESETS.glob("*.yaml")), key=lambda name: not load(name).published)


def list_published() -> list[str]:
    return [name for name in list_names() if load(name).published]


def find_document(name: str) -> Path:
    """Find a preset's document; raise UserError if no preset has that name."""
    documents = {path.stem: path for path in sorted(PRESETS.glob("*.yaml"))}
    if name not in documents:
        raise UserError(f"Preset {name!r} is unknown{hint(name, list(documents))}")
    return documents[name]


def load(name: str) -> Preset:
    """Read a preset; raise UserError if no preset has that name, or its document has unknown keys or wrong values."""
    path = find_document(name)
    return params.check(params.read(path), Preset, str(path))


def differences(content: dict, wanted: dict, at: Key = ()) -> dict[Key, Any]:
    """The values of `wanted` that differ from those of `content`, by their path of keys."""
    changes: dict[Key, Any] = {}
    for name, value in wanted.items():
        old = content.get(name)
        if isinstance(value, dict) and isinstance(old, dict):
            changes |= differences(old, value, (*at, name))
        elif old != value or isinstance(old, bool) != isinstance(value, bool):
            changes[(*at, name)] = value
    return changes


def apply(name: str, overrides: Sequence[str] = ()) -> list[str]:
    """Set a preset's values in params.yaml, then those of `overrides`, KEY=VALUE as in `dvc exp run -S`.

    Comments and order stay. Returns a line for each value that changed. Raises UserError if no preset has that name, or
    the files with it and the overrides cannot be used; nothing is changed then.
    """
    contents = {path: params.read(path) for path in (paths.PARAMS, paths.NETWORKS)}
    before = {path: path.read_text(encoding="utf-8") for path in contents}
    params.check_params(contents[paths.PARAMS], str(paths.PARAMS))
    preset = overlay(contents[paths.PARAMS], load(name).params)
    label = f"{paths.PARAMS} with preset {name}" + (" and -S" if overrides else "")
    with override(before | {paths.PARAMS: yaml.safe_dump(preset, sort_keys=False)}, overrides) as (changed, networks):
        wanted = {paths.PARAMS: params.read(changed), paths.NETWORKS: params.read(networks)}
        params.check_params(wanted[paths.PARAMS], label, networks)
    changes = {path: differences(contents[path], wanted[path]) for path in before}
    after = {path: set_values(text, changes[path]) for path, text in before.items()}
    for path, text in after.items():
        if yaml.safe_load(text) != wanted[path]:
            keys = ", ".join(".".join(key) for key in changes[path])
            raise UserError(f"{path} cannot be edited in place. Set by hand what preset {name} changes: {keys}")
    for path in (path for path in before if changes[path]):
        write_text(path, after[path])
    return [
        f"{'' if path == paths.PARAMS else f'{path}:'}{'.'.join(key)}: "
        f"{in_yaml(reduce(dict.get, key, contents[path]))} -> {in_yaml(value)}"
        for path in before
        for key, value in changes[path].items()
    ]


def overlay(content: dict, values: dict) -> dict:
    """Return `content` with `values` in place of its own, section by section."""
    both = {
        key: overlay(content[key], value)
        for key, value in values.items()
        if isinstance(value, dict) and isinstance(content.get(key), dict)
    }
    return content | values | both


def fill(document: str, values: dict[str, Any]) -> str:
    """Set the params of a preset in the text of params.yaml, as `set_values` does."""
    return set_values(document, differences(yaml.safe_load(document), values))


def set_values(document: str, changes: dict[Key, Any]) -> str:
    """Set values in a YAML document, each by its path of keys; comments, their columns, quotes and order stay."""
    if not changes:
        return document  # to the byte, whatever its layout
    editor = YAML()
    editor.preserve_quotes, editor.allow_duplicate_keys, editor.width = True, True, 10**9
    editor.brace_single_entry_mapping_in_flow_sequence = True  # as networks.yaml writes the layers of a head
    editor.indent(mapping=2, sequence=4, offset=2)
    editor.representer.yaml_representers = editor.representer.yaml_representers | {type(None): represent_null}
    content = editor.load(document)
    for key, value in changes.items():
        reduce(getitem, key[:-1], content)[key[-1]] = editor.load(in_yaml(value))
    edited = StringIO()
    editor.dump(content, edited)
    return edited.getvalue()


def represent_null(representer: RoundTripRepresenter, _: None) -> ScalarNode:
    """Write null, where ruamel.yaml would write nothing."""
    return representer.represent_scalar("tag:yaml.org,2002:null", "null")


def in_yaml(value: Any) -> str:
    """A value on one line of YAML, as `{rotate: 20, zoom: 0.1}`."""
    return yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**9).removesuffix("...\n").strip()
