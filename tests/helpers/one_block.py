"""ResNet18 with its stem and one of its eight blocks: the same types of layers, built and trained in a second."""

from skinlesion.runtime.params.rows import Backbone

ARGUMENTS = {"stackwise_num_filters": [64], "stackwise_num_blocks": [1], "stackwise_num_strides": [1]}
# The changes of params.yaml, by dotted key, that make it the backbone.
PARAMS = {
    "model.backbone": "resnet18",
    **{f"backbones.resnet18.arguments.{name}": value for name, value in ARGUMENTS.items()},
}


def one_block(resnet18: Backbone) -> Backbone:
    """The row of ResNet18 with one block."""
    return resnet18.model_copy(update={"arguments": resnet18.arguments | ARGUMENTS})
