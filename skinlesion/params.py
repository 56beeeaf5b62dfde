"""The typed, frozen view of params.yaml: unknown keys are refused, values cross-checked; nothing is defaulted.

Every stage reads the whole file, so a mistyped key stops the chain at once; DVC tracks per stage what it uses.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, Field, ValidationError, model_validator

from skinlesion import paths
from skinlesion.errors import UserError
from skinlesion.messages import describe, hint
from skinlesion.rows import Backbone, Configuration, Count, Head, HeadLayer, Phase, Range, Section

Fraction = Annotated[float, Field(ge=0, le=1)]
Degrees = Annotated[float, Field(ge=0, le=180)]
Side = Annotated[int, Field(ge=16, le=1024)]
DUPLICATES = Path("presets/duplicates")
Document = TypeVar("Document", bound=BaseModel)


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

    rotate: Degrees
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
    attention: Literal["none", "se"]
    head: str
    configuration: str


def half_or_off(probability: float) -> float:
    if probability not in (0, 0.5):
        raise ValueError(f"0 (off) or 0.5: Keras' RandomFlip flips half of the images. Received: {probability:g}")
    return probability


Flip = Annotated[float, AfterValidator(half_or_off)]


class Augmentation(Section):
    """Ranges of the online operations; 0 switches one off."""

    flip_horizontal: Flip
    flip_vertical: Flip
    rotate: Degrees
    zoom: Range
    shift: Range
    shear: Range
    brightness: Range
    contrast: Range


class ReduceLearningRate(Section):
    patience: Count
    factor: Annotated[float, Field(gt=0, lt=1)]


class Train(Section):
    batch_size: Count
    max_epochs: Count | None
    class_weights: Literal["none", "balanced"]
    augmentation: Augmentation | None
    label_smoothing: Range
    optimizer: Literal["adam", "adamw"]
    weight_decay: Range
    schedule: Literal["constant", "cosine"]
    warmup_epochs: Annotated[int, Field(ge=0)]
    ema: Annotated[float, Field(gt=0, lt=1)] | None
    monitor: Literal["loss", "accuracy", "balanced_accuracy"]
    early_stopping: Count | None
    reduce_learning_rate: ReduceLearningRate | None
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"]
    device: Literal["auto", "gpu", "cpu"]
    deterministic: bool

    @model_validator(mode="after")
    def check(self) -> "Train":
        if self.schedule != "constant" and self.reduce_learning_rate:
            raise ValueError(
                f"schedule: {self.schedule} sets the learning rate of every epoch, so it and reduce_learning_rate "
                "exclude each other: set reduce_learning_rate: null, or schedule: constant"
            )
        if self.weight_decay and self.optimizer != "adamw":
            raise ValueError(
                f"weight_decay belongs to optimizer: adamw. Received: weight_decay {self.weight_decay:g} with "
                f"{self.optimizer}; set optimizer: adamw, or weight_decay: 0"
            )
        return self


class Evaluate(Section):
    batch_size: Count


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
    heads: dict[str, Head]
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
    return check(content, Params, str(path))


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
