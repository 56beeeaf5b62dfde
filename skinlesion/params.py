"""The typed, frozen view of params.yaml: unknown keys are refused, values cross-checked; nothing is defaulted.

Every stage reads the whole file, so a mistyped key stops the chain at once; DVC tracks per stage what it uses.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from skinlesion import paths
from skinlesion.errors import UserError
from skinlesion.messages import describe, hint

Fraction = Annotated[float, Field(ge=0, le=1)]
Side = Annotated[int, Field(ge=16, le=1024)]
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Range = Annotated[float, Field(ge=0, le=0.9)]
DUPLICATES = Path("presets/duplicates")


class Section(BaseModel):
    """A section of params.yaml: frozen, and closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Data(Section):
    source: Literal["sample", "archive", "kaggle"]
    sample_seed: Annotated[int, Field(ge=0)]
    archive: Path | None
    duplicates: Path | None
    on_bad_image: Literal["fail", "skip"]

    @model_validator(mode="after")
    def check(self) -> "Data":
        if self.source == "archive" and self.archive is None:
            raise ValueError("source: archive needs data.archive, the path of a zip or folder")
        if self.duplicates is not None and self.duplicates.parent != DUPLICATES:
            raise ValueError(f"duplicates must be a file of {DUPLICATES}/, so that DVC sees it change")
        return self


class Images(Section):
    size: Side
    fit: Literal["stretch", "crop"]


class Operations(Section):
    """Ranges of the seven augmenting operations; 0 switches one off."""

    rotate: Annotated[float, Field(ge=0, le=180)]
    flip_horizontal: Fraction
    flip_vertical: Fraction
    brightness: Range
    contrast: Range
    zoom: Range
    shift: Range


class Balance(Section):
    per_class: Count | None
    operations: Operations

    @model_validator(mode="after")
    def check(self) -> "Balance":
        if self.per_class is not None and not any(self.operations.model_dump().values()):
            raise ValueError("every operation is 0: copies would equal their originals; set one, or per_class: null")
        return self


class Split(Section):
    protocol: Literal["lesion", "image"]
    train: Fraction
    validation: Fraction
    test: Fraction

    @model_validator(mode="after")
    def check(self) -> "Split":
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"train, validation and test must sum to 1. Received: {total:g}")
        if min(self.train, self.validation, self.test) == 0:
            raise ValueError("train, validation and test must each be above 0")
        return self


class Model(Section):
    backbone: str
    weights: str | None
    head: str
    configuration: str


class ReduceLearningRate(Section):
    patience: Count
    factor: Annotated[float, Field(gt=0, lt=1)]


class Train(Section):
    batch_size: Count
    max_epochs: Count | None
    monitor: Literal["loss", "accuracy", "balanced_accuracy"]
    early_stopping: Count | None
    reduce_learning_rate: ReduceLearningRate | None
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"]
    device: Literal["auto", "gpu", "cpu"]
    deterministic: bool


class Evaluate(Section):
    batch_size: Count


class Backbone(Section):
    """A row of backbones. `preprocessing` is a mode of Keras' own preprocess_input."""

    constructor: Annotated[str, Field(pattern=r"^(keras\.applications|keras_hub\.models)\.\w+$")]
    arguments: dict[str, Any] = {}
    preprocessing: Literal["caffe", "tf", "torch"]
    smallest: Count
    imagenet: str = "imagenet"


class HeadLayer(Section):
    """One layer of a head: exactly one of the keys."""

    average_pool: Literal["global"] | None = None
    max_pool: Count | None = None
    flatten: Literal[True] | None = None
    batch_norm: Literal[True] | None = None
    dropout: Range | None = None
    dense: Count | None = None
    conv: Count | None = None

    @model_validator(mode="after")
    def check(self) -> "HeadLayer":
        if len(self.model_fields_set) != 1:
            raise ValueError("a layer of a head has exactly one key, as in {dropout: 0.3}")
        if self.value is None:
            raise ValueError(f"{self.kind} needs a value, as in {{dropout: 0.3}}")
        return self

    @property
    def kind(self) -> str:
        return next(iter(self.model_fields_set))

    @property
    def value(self) -> int | float | str | bool:
        return getattr(self, self.kind)


class Phase(Section):
    """One stretch of training: `train` is all, head, or the number of the first backbone layer to train."""

    train: Literal["all", "head"] | Annotated[int, Field(ge=1)]
    epochs: Count
    learning_rate: Positive


class Params(Section):
    """The whole of params.yaml."""

    seed: Annotated[int, Field(ge=0, lt=2**32)]
    data: Data
    images: Images
    balance: Balance
    split: Split
    model: Model
    train: Train
    evaluate: Evaluate
    backbones: dict[str, Backbone]
    heads: dict[str, list[HeadLayer]]
    configurations: dict[str, Annotated[list[Phase], Field(min_length=1)]]

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
        smallest = self.backbone.smallest
        if self.images.size < smallest:
            raise ValueError(
                f"images.size: {self.model.backbone} needs at least {smallest} px. Received: {self.images.size}"
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
    """Read and check params.yaml.

    Raises:
        UserError: the file is missing, is not YAML, or has unknown keys or wrong values; all are named at once.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} is missing: run from the repository's root (git checkout {path})") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid YAML: {error}") from None
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        problems = "\n".join(dict.fromkeys(f"  {describe(one, Params, content)}" for one in error.errors()))
        raise UserError(f"{path} cannot be used:\n{problems}") from None
