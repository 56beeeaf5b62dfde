"""Which layers of the backbone train in a phase."""

from skinlesion.model.backend import keras
from skinlesion.runtime.errors import UserError
from skinlesion.runtime.params.rows import Phase
from skinlesion.train.machine.private_names import all_layers

# Weights of keras-hub's DINOv2. A file stores the position embeddings of the published image size only, so trained ones
# would be lost; the mask token is used in pretraining only.
NEVER_TRAIN = {"interpolated_position_embeddings", "mask_token"}


def check(backbone: keras.Model, phases: list[Phase]) -> None:
    """Check that the backbone has the layers that `phases` name. Raises UserError."""
    count = len(backbone.layers)
    for phase in phases:
        if isinstance(phase.train, int) and phase.train >= count:
            raise UserError(
                f"The configuration trains from layer {phase.train} on, but this backbone has {count} layers. "
                "In its row of configurations, set train to a smaller number, all or head"
            )


def apply(backbone: keras.Model, phase: Phase) -> None:
    """Set which layers of the backbone train in `phase`. Compile the model afterwards.

    A frozen BatchNormalization is in inference mode: it uses its moving statistics and keeps them
    (keras.io/guides/transfer_learning).
    """
    first = {"all": 0, "head": len(backbone.layers)}.get(phase.train, phase.train)
    backbone.trainable = True
    for number, layer in enumerate(backbone.layers):
        # Each part by itself: under TensorFlow, a layer that is set to what it is already sets nothing inside it.
        for part in all_layers(layer):
            frozen = phase.batch_norm == "frozen" and isinstance(part, keras.layers.BatchNormalization)
            part.trainable = number >= first and not frozen
    for weight in backbone.weights:
        if weight.name in NEVER_TRAIN:
            weight.trainable = False
