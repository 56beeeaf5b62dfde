"""Rows of the tables: backbones and heads of networks.yaml, configurations of params.yaml."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator


def refuse_true(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError(f"{value} is no number")
    return value


# To Python, and so to pydantic, True is 1. A number may be text: YAML reads 5e-05 as such.
Integer = Annotated[int, Field(strict=True)]
NO_BOOLEAN = BeforeValidator(refuse_true)
Count = Annotated[Integer, Field(ge=1)]
Seed = Annotated[Integer, Field(ge=0, lt=2**32)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False), NO_BOOLEAN]
Range = Annotated[float, Field(ge=0, le=0.9), NO_BOOLEAN]


class Section(BaseModel):
    """A part of a YAML document: frozen, and closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Backbone(Section):
    """A row of backbones.

    `preprocessing` is a mode of Keras' preprocess_input. images.size must be a `multiple` of a transformer's patches.
    With `class_tokens` the output is not a feature map but a sequence: so many class tokens, then one per patch.
    """

    constructor: Annotated[str, Field(pattern=r"^(keras\.applications|keras_hub\.models)\.\w+$")]
    arguments: dict[str, Any]
    preprocessing: Literal["caffe", "tf", "torch"]
    smallest: Count
    multiple: Count
    class_tokens: Annotated[Integer, Field(ge=0)] | None
    imagenet: str


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
            raise ValueError(f"a layer has {len(self.model_fields_set)} keys. Give one key, as in {{dropout: 0.3}}")
        if self.value is None:
            raise ValueError(f"{self.kind} has no value. Give one, as in {{dropout: 0.3}}")
        return self

    @property
    def kind(self) -> str:
        return next(iter(self.model_fields_set))

    @property
    def value(self) -> int | float | str | bool:
        return getattr(self, self.kind)


def check_order(head: list[HeadLayer]) -> list[HeadLayer]:
    """Check that a head pools or flattens once, with layers for maps before that and layers for vectors after it."""
    kinds = [layer.kind for layer in head]
    turns = [number for number, kind in enumerate(kinds) if kind in ("average_pool", "flatten")]
    if len(turns) != 1:
        remedy = "Remove the others" if turns else "Add one of them"
        raise ValueError(f"a head needs exactly one of average_pool and flatten, but has {', '.join(kinds)}. {remedy}")
    before, after = kinds[: turns[0]], kinds[turns[0] :]
    if "dense" in before or {"conv", "max_pool"} & set(after):
        order = f"conv and max_pool before {after[0]} and dense after it"
        raise ValueError(f"a head needs {order}, but has {', '.join(kinds)}. Change their order")
    return head


Head = Annotated[list[HeadLayer], AfterValidator(check_order)]


class Phase(Section):
    """A phase of training: `train` is all, head, or the number of the first layer of the backbone to train.

    `batch_norm` says whether the BatchNormalization of the backbone's layers that train does so too.
    """

    train: Literal["all", "head"] | Count
    epochs: Count
    learning_rate: Positive
    batch_norm: Literal["train", "frozen"]

    @model_validator(mode="after")
    def check(self) -> "Phase":
        if self.train == "head" and self.batch_norm == "train":
            raise ValueError("train: head freezes the backbone with its batch normalization. Set batch_norm: frozen")
        return self


Configuration = Annotated[list[Phase], Field(min_length=1)]
