"""The typed, frozen view of params.yaml and networks.yaml: unknown keys are refused, and no value is defaulted.

Every stage reads both whole, so a mistyped key stops the chain at once; DVC tracks per stage what it uses.
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
from skinlesion.runtime.params.sections import Balance, Data, Evaluate, Images, Model, Split, Train

Document = TypeVar("Document", bound=BaseModel)


class Networks(Section):
    """The whole of networks.yaml: what a network is made of."""

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
    evaluate: Evaluate
    configurations: dict[str, Configuration]

    @model_validator(mode="after")
    def check(self) -> "Params":
        for key, table in (
            ("backbone", self.backbones),
            ("head", self.heads),
            ("configuration", self.configurations),
        ):
            name = getattr(self.model, key)
            if name not in table:
                raise ValueError(f"model.{key}: no row of {key}s is named {name!r}{hint(name, list(table))}")
        smallest, multiple = self.backbone.smallest, self.backbone.multiple
        if self.images.size < smallest:
            raise ValueError(
                f"images.size: {self.model.backbone} needs at least {smallest} px. Received: {self.images.size}"
            )
        if beyond := self.images.size % multiple:
            lower = self.images.size - beyond
            near = [size for size in (lower, lower + multiple) if size >= smallest]
            raise ValueError(
                f"images.size: {self.model.backbone} cuts images into patches of {multiple} px, so it needs a multiple "
                f"of {multiple}, as {' or '.join(map(str, near))}. Received: {self.images.size}"
            )
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
    """Read and check params.yaml, and networks.yaml beside it.

    From then on joblib has as many workers as params.yaml says: no result hangs on them.

    Raises:
        UserError: a file is missing, is not YAML, or has unknown keys or wrong values; all of a file are named at once.
    """
    settings = of(read(path), str(path), path.with_name(paths.NETWORKS.name))
    if settings.workers:
        joblib.parallel_config(n_jobs=settings.workers)  # stays, where it is not used as a context
    return settings


def of(content: Any, what: str, networks: Path = paths.NETWORKS) -> Params:
    """Check `content`, a params.yaml as parsed, together with the file `networks`.

    Raises:
        UserError: as `load`; `what` names the content in the message.
    """
    if not isinstance(content, dict):
        return check(content, Params, what)
    tables = read(networks)
    check(tables, Networks, str(networks))
    if misplaced := sorted(content.keys() & tables.keys()):
        raise UserError(f"{what} cannot be used:\n  {', '.join(misplaced)}: move it to {networks}")
    return check(content | tables, Params, what)


def read(path: Path) -> Any:
    """Parse a YAML file. Raises UserError where it is missing or no YAML."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} is missing: run from the repository's root (git checkout {path})") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid YAML: {error}") from None


def check(content: Any, model: type[Document], what: str) -> Document:
    """Read `content`, parsed YAML, as a `model`; `what` names it in the message.

    Raises:
        UserError: unknown keys or wrong values; all are named at once.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        problems = "\n".join(dict.fromkeys(f"  {describe(one, model, content)}" for one in error.errors()))
        raise UserError(f"{what} cannot be used:\n{problems}") from None
