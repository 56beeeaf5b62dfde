"""What of the backbone trains in a phase."""

from collections.abc import Iterator

from skinlesion.model.backend import keras
from skinlesion.runtime.errors import UserError
from skinlesion.runtime.params.rows import Phase

# Weights of DINOv2 as keras-hub has it: a file keeps the position embeddings of the published image size only, so
# trained ones come back changed; the mask token is for pretraining.
NEVER_TRAIN = {"interpolated_position_embeddings", "mask_token"}


def check(backbone: keras.Model, phases: list[Phase]) -> None:
    """Refuse a configuration that counts on more layers than the backbone has.

    Raises:
        UserError: a phase trains from a layer on that is not there.
    """
    count = len(backbone.layers)
    for phase in phases:
        if isinstance(phase.train, int) and phase.train >= count:
            raise UserError(
                f"the configuration trains from layer {phase.train} on, but this backbone has {count} layers: nothing "
                f"of it would train. Give a smaller number in a row of configurations, or train: all, or train: head"
            )


def apply(backbone: keras.Model, phase: Phase, phases: list[Phase]) -> None:
    """Set which layers of the backbone train in `phase`, one of `phases`. The model must be compiled afterwards.

    Where any phase freezes a part, BatchNormalization stays in inference mode in every phase: its moving statistics
    belong to the weights that were frozen (keras.io/guides/transfer_learning).
    """
    first = {"all": 0, "head": len(backbone.layers)}.get(phase.train, phase.train)
    keeps_statistics = any(other.train != "all" for other in phases)
    backbone.trainable = True
    for number, layer in enumerate(backbone.layers):
        layer.trainable = number >= first
        for part in flatten(layer):
            if keeps_statistics and isinstance(part, keras.layers.BatchNormalization):
                part.trainable = False
    for weight in backbone.weights:
        if weight.name in NEVER_TRAIN:
            weight.trainable = False


def flatten(layer: keras.Layer) -> Iterator[keras.Layer]:
    """The layer and all that it is made of."""
    yield from layer._flatten_layers()
