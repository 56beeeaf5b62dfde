"""The sections of params.yaml; checks across sections are in __init__.py."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from skinlesion.runtime.params.rows import NO_BOOLEAN, Count, Integer, Range, Section, Seed

Fraction = Annotated[float, Field(ge=0, le=1), NO_BOOLEAN]
Degrees = Annotated[float, Field(ge=0, le=180), NO_BOOLEAN]
DUPLICATES = Path("presets/duplicates")


class Data(Section):
    source: Literal["sample", "archive", "kaggle", "dataverse"]
    sample_seed: Annotated[Integer, Field(ge=0)]
    archive: Path | None
    duplicates: Path | None
    on_bad_image: Literal["fail", "skip"]

    @model_validator(mode="after")
    def check(self) -> "Data":
        if self.source == "archive" and self.archive is None:
            raise ValueError("source is archive, but archive is null. Set data.archive: the path of a zip or folder")
        if self.duplicates is not None and self.duplicates.parent != DUPLICATES:
            raise ValueError(f"duplicates is {self.duplicates}, which DVC does not track. Use a file in {DUPLICATES}/")
        return self


class Images(Section):
    size: Annotated[Integer, Field(ge=16, le=1024)]
    fit: Literal["stretch", "crop"]


class Operations(Section):
    """Ranges of the seven augmentations; 0 disables one."""

    rotate: Degrees
    flip_horizontal: Fraction
    flip_vertical: Fraction
    brightness: Range
    contrast: Range
    zoom: Range
    shift: Range


class Balance(Section):
    seed: Seed
    per_class: Count | None
    operations: Operations

    @model_validator(mode="after")
    def check(self) -> "Balance":
        if self.per_class is not None and not any(self.operations.model_dump().values()):
            raise ValueError("every operation is 0, so copies equal originals. Set one above 0, or per_class: null")
        return self


class Split(Section):
    seed: Seed
    protocol: Literal["lesion", "image"]
    train: Fraction
    validation: Fraction
    test: Fraction
    folds: Annotated[Integer, Field(ge=2)] | None
    fold: Annotated[Integer, Field(ge=0)]

    @model_validator(mode="after")
    def check(self) -> "Split":
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"train, validation and test sum to {total:g}. Change them to sum to 1")
        if min(self.train, self.validation, self.test) == 0:
            raise ValueError("train, validation or test is 0. Set each above 0")
        if self.folds and self.protocol != "lesion":
            raise ValueError(f"folds is {self.folds}, but protocol is image. Set protocol: lesion, or folds: null")
        if self.fold >= (self.folds or 1):
            last = (self.folds or 1) - 1
            raise ValueError(f"fold is {self.fold}, but folds is {self.folds or 'null'}. Set fold: {last} or less")
        return self


class Model(Section):
    backbone: str
    weights: str | None
    attention: Literal["none", "se"]
    head: str
    configuration: str


def check_flip(probability: float) -> float:
    if probability not in (0, 0.5):
        raise ValueError(f"{probability:g} is not possible: Keras flips half of the images. Set 0 (off) or 0.5")
    return probability


Flip = Annotated[float, AfterValidator(check_flip), NO_BOOLEAN]


class Augmentation(Section):
    """Ranges of the online augmentations; 0 disables one."""

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
    factor: Annotated[float, Field(gt=0, lt=1), NO_BOOLEAN]


class Train(Section):
    batch_size: Count
    max_epochs: Count | None
    class_weights: Literal["none", "balanced"]
    sampling: Literal["shuffle", "balanced"]
    mix: Literal["mixup", "cutmix"] | None
    logit_adjustment: Fraction
    augmentation: Augmentation | None
    label_smoothing: Range
    optimizer: Literal["adam", "adamw"]
    weight_decay: Range
    schedule: Literal["constant", "cosine"]
    warmup_epochs: Annotated[Integer, Field(ge=0)]
    ema: Annotated[float, Field(gt=0, lt=1), NO_BOOLEAN] | None
    monitor: Literal["loss", "accuracy", "balanced_accuracy", "roc_auc_macro"]
    early_stopping: Count | None
    reduce_learning_rate: ReduceLearningRate | None
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"]
    device: Literal["auto", "gpu", "cpu"]
    devices: Count | Literal["all"]
    kernels: Literal["fused", "keras"]
    deterministic: bool

    @model_validator(mode="after")
    def check(self) -> "Train":
        if self.schedule != "constant" and self.reduce_learning_rate:
            both = f"schedule: {self.schedule} and reduce_learning_rate both set the learning rate"
            raise ValueError(f"{both}. Set reduce_learning_rate: null, or schedule: constant")
        if self.weight_decay and self.optimizer != "adamw":
            fault = f"weight_decay is {self.weight_decay:g}, but {self.optimizer} has none"
            raise ValueError(f"{fault}. Set optimizer: adamw, or weight_decay: 0")
        balancing = {
            "class_weights: balanced": self.class_weights == "balanced",
            "sampling: balanced": self.sampling == "balanced",
            f"logit_adjustment: {self.logit_adjustment:g}": self.logit_adjustment > 0,
        }
        if len(both := [name for name, is_set in balancing.items() if is_set]) > 1:
            raise ValueError(f"{' and '.join(both)} correct the class frequencies twice. Set one of them")
        if self.mix and self.class_weights == "balanced":
            raise ValueError(f"mix: {self.mix} gives images two classes, but class_weights weigh one. Set one of them")
        return self


class External(Section):
    source: Literal["none", "sample", "isic2018", "archive"]
    archive: Path | None

    @model_validator(mode="after")
    def check(self) -> "External":
        if self.source == "archive" and self.archive is None:
            raise ValueError("source is archive, but archive is null. Set external.archive: path of a zip or folder")
        return self


class Evaluate(Section):
    batch_size: Count
    tta: Literal[1, 8]
    bootstrap: Annotated[Integer, Field(ge=100)]
    decision: Literal["raw", "uniform"]
