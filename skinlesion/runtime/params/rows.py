"""The rows of the tables: backbones and heads of networks.yaml, configurations of params.yaml."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Range = Annotated[float, Field(ge=0, le=0.9)]


class Section(BaseModel):
    """A part of a YAML document: frozen, and closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Backbone(Section):
    """A row of backbones. `preprocessing` is a mode of Keras' own preprocess_input.

    `multiple` is what images.size must divide by: the side of a transformer's patches. `class_tokens` says that the
    network gives a sequence, of that many tokens for the whole image and then one per patch, and not a feature map.
    """

    constructor: Annotated[str, Field(pattern=r"^(keras\.applications|keras_hub\.models)\.\w+$")]
    arguments: dict[str, Any]
    preprocessing: Literal["caffe", "tf", "torch"]
    smallest: Count
    multiple: Count
    class_tokens: Annotated[int, Field(ge=0)] | None
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


TO_VECTOR = {"average_pool", "flatten"}
ON_MAP, ON_VECTOR = {"conv", "max_pool"}, {"dense"}


def check_order(head: list[HeadLayer]) -> list[HeadLayer]:
    """A head turns the feature map into a vector exactly once; what needs a map stands before, dense layers after."""
    kinds = [layer.kind for layer in head]
    turns = [number for number, kind in enumerate(kinds) if kind in TO_VECTOR]
    if len(turns) != 1:
        raise ValueError(f"a head has exactly one of average_pool and flatten. Received: {', '.join(kinds)}")
    if ON_VECTOR & set(kinds[: turns[0]]) or ON_MAP & set(kinds[turns[0] :]):
        raise ValueError(
            f"in a head, conv and max_pool stand before {kinds[turns[0]]}, dense after it. Received: {', '.join(kinds)}"
        )
    return head


Head = Annotated[list[HeadLayer], AfterValidator(check_order)]


class Phase(Section):
    """One stretch of training: `train` is all, head, or the number of the first backbone layer to train."""

    train: Literal["all", "head"] | Annotated[int, Field(ge=1)]
    epochs: Count
    learning_rate: Positive


Configuration = Annotated[list[Phase], Field(min_length=1)]
