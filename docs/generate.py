"""Writes docs/params.md from params.yaml and its types, and docs/presets.md from presets/: python -m docs.generate"""

import math
import re
import textwrap
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import yaml

from skinlesion.commands.preset import presets
from skinlesion.commands.preset.presets import Preset
from skinlesion.runtime import params, paths
from skinlesion.runtime.params import Params

DOCS = Path(__file__).parent
WIDTH = 140
LINE = re.compile(r"( *)(\w+):(?: +[^#\s].*?)?(?: +# (.*))?$")  # indentation, key, comment of a line of YAML


def write_params() -> str:
    """The page of params.yaml: each key with its value in the preset sample, the numbers that fit, and its comment.

    The layout of params.yaml does not matter: dvc exp run -S writes it anew.
    """
    document = presets.fill(paths.PARAMS.read_text(encoding="utf-8"), presets.load("sample").params)
    (head, rows), content = read_comments(document), yaml.safe_load(document)
    made = "Made from `params.yaml` and `networks.yaml` by `make docs`; the values are those of the preset `sample`."
    parts = ["# What can I set in params.yaml?", wrap(f"{made} {' '.join(head)}")]
    schema, items = Params.model_json_schema(), []
    for keys, comment in rows:
        value = reduce(getitem, keys, content)
        if len(keys) == 1 and isinstance(value, dict):
            parts += ["\n".join(items), f"## {keys[0]}", *filter(None, [wrap(comment)])]
            items = []
        else:
            fit = describe_type(keys, schema)
            shown = "" if isinstance(value, dict) else f" = `{presets.in_yaml(value)}`"
            text = f"`{'.'.join(keys)}`{shown}" + (f" ({fit})" if fit else "")
            items.append(wrap(f"{text}: {comment}" if comment else text, "- "))
    parts += ["\n".join(items), "## The rows of networks.yaml", *list_networks()]
    return "\n\n".join(filter(None, parts)) + "\n"


def list_networks() -> list[str]:
    networks = params.check(params.read(paths.NETWORKS), params.Networks, str(paths.NETWORKS))
    rows: list[tuple] = [("backbone", "from", "smallest images.size, px", "model.weights: imagenet loads")]
    for name, row in networks.backbones.items():
        multiple = f", a multiple of {row.multiple}" if row.multiple > 1 else ""
        rows.append((f"`{name}`", f"`{row.constructor}`", f"{row.smallest}{multiple}", f"`{row.imagenet}`"))
    heads = [
        wrap(f"`{name}`: {', '.join(f'{layer.kind} {layer.value}' for layer in head)}", "- ")
        for name, head in networks.heads.items()
    ]
    return [table(rows), "Heads, from the feature map to the seven probabilities:", "\n".join(heads)]


def read_comments(text: str) -> tuple[list[str], list[tuple[list[str], str]]]:
    """Read the first comment of a YAML file, and for each key its path and its comment.

    The comment of a key is above it, or behind it and in lines of comment alone, further to the right.
    """
    head, _, rest = text.partition("\n\n")
    keys: list[str] = []
    above: list[str] = []
    rows: list[tuple[list[str], str]] = []
    column: float = math.inf  # of the items of a list that takes several lines
    for line in filter(str.strip, rest.splitlines()):
        indent = len(line) - len(line.lstrip())
        if line.lstrip().startswith("- "):
            column = indent
        elif indent <= column:
            column = math.inf
        if column < math.inf:
            continue
        if match := LINE.match(line):
            spaces, key, behind = match.groups(default="")
            keys = [*keys[: len(spaces) // 2], key]
            rows.append((keys, " ".join(filter(None, [*above, behind]))))
            above = []
        elif line.startswith(" " * 8):
            rows[-1] = (rows[-1][0], f"{rows[-1][1]} {line.strip(' #')}")
        else:
            above.append(line.strip(" #"))
    return [line.strip("# ") + ("" if line.endswith(".") else ".") for line in head.splitlines()], rows


def describe_type(keys: list[str], schema: dict[str, Any]) -> str:
    """The numbers that fit a key of params.yaml; nothing where the values are names, which its comment explains."""
    found = schema
    for key in keys:
        found = found.get("properties", {}).get(key, {})
        if "$ref" in found:
            found = schema["$defs"][found["$ref"].rpartition("/")[2]]
    kinds = [describe_range(kind) for kind in found.get("anyOf", [found])]
    return " or ".join(filter(None, kinds))


def describe_range(kind: dict[str, Any]) -> str:
    if kind.get("type") == "boolean":
        return "true or false"
    if kind.get("type") not in ("integer", "number") or "enum" in kind:
        return ""
    least, most = (kind.get(name, kind.get(f"exclusive{name.title()}")) for name in ("minimum", "maximum"))
    name = "integer" if kind["type"] == "integer" else "number"
    if most is None or most >= 2**32:
        return f"{name}, {least} or more"
    return f"{name}, {least} to {most}" if "minimum" in kind else f"{name} between {least} and {most}"


def write_presets() -> str:
    """The page of the presets: each with what was published, its source, what that leaves open, and its main params."""
    documents = {name: presets.load(name) for name in presets.list_names()}
    published = {name: preset for name, preset in documents.items() if preset.published}
    left_open = group({name: preset.left_open for name, preset in published.items()})
    sources = group({name: [preset.source] for name, preset in published.items()})
    parts = [
        "# Which presets are there?",
        wrap(
            "Made from `presets/*.yaml` by `make docs`. `skinlesion preset show NAME` prints a whole document, "
            "`skinlesion preset apply NAME` sets its values in `params.yaml`. "
            "How to run them all: [experiments](experiments.md)."
        ),
        "## Published systems",
        tabulate(published),
        "The published accuracy is mostly measured on a split that leaks (`split.protocol: image`).",
        "\n".join(wrap(f"{', '.join(names)}: {source}", "- ") for source, names in sources.items()),
        "### What the sources leave open, and what we chose",
        "\n".join(
            wrap(f"{'all' if len(names) == len(published) else ', '.join(names)}: {item}", "- ")
            for item, names in left_open.items()
        ),
    ]
    for name, preset in documents.items():
        if name not in published:
            parts += describe_own(name, preset, documents["sample"])
    return "\n\n".join(filter(None, parts)) + "\n"


def group(items: dict[str, list[str]]) -> dict[str, list[str]]:
    """Turn presets with their texts into texts with the presets, in code style, that have them."""
    groups: dict[str, list[str]] = {}
    for name, texts in items.items():
        for text in texts:
            groups.setdefault(text.strip(), []).append(f"`{name}`")
    return groups


def tabulate(published: dict[str, Preset]) -> str:
    rows = [("preset", "published", "size, px", "images per class", "split", "backbone, head", "configuration")]
    for name, preset in published.items():
        values = preset.params
        model, split = values["model"], values["split"]
        numbers = ", ".join(f"{measure} {value:.4g}" for measure, value in preset.published.items())
        fractions = "/".join(f"{100 * split[part]:.0f}" for part in ("train", "validation", "test"))
        network = ", ".join(
            [model["backbone"], *([model["attention"]] * (model["attention"] != "none")), model["head"]]
        )
        per_class = values["balance"]["per_class"] or "natural"
        rows.append(
            (f"`{name}`", numbers, values["images"]["size"], per_class, fractions, network, model["configuration"])
        )
    return table(rows)


def describe_own(name: str, preset: Preset, sample: Preset) -> list[str]:
    changes = presets.differences(sample.params, preset.params)
    values = ", ".join(f"`{'.'.join(key)}: {presets.in_yaml(value)}`" for key, value in changes.items())
    parts = [f"## `{name}`", wrap(f"{preset.title}. {preset.source.strip()}")]
    parts += ["\n".join(wrap(item.strip(), "- ") for item in preset.left_open)]
    parts += [wrap(f"It differs from the preset `sample` in {values}.")] if values else []
    if preset.search:
        rows = [("change", "epochs", "balanced accuracy", "log loss", "macro ROC-AUC")]
        for trial in preset.search.trials:
            scores = (trial.balanced_accuracy, trial.log_loss, trial.roc_auc_macro)
            rows.append((trial.change, trial.epochs, *(f"{score:.4f}" for score in scores)))
        parts += ["### How its values were chosen", wrap(preset.search.about.strip()), table(rows)]
    return parts


def table(rows: list[tuple]) -> str:
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def wrap(text: str, start: str = "") -> str:
    after = " " * len(start)
    return textwrap.fill(
        text, WIDTH, initial_indent=start, subsequent_indent=after, break_long_words=False, break_on_hyphens=False
    )


PAGES = {"params.md": write_params, "presets.md": write_presets}


if __name__ == "__main__":
    for name, write in PAGES.items():
        (DOCS / name).write_text(write(), encoding="utf-8")
