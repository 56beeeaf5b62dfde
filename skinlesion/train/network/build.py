"""The classifier: preprocessing, backbone and head, three named sub-models."""

from skinlesion.model.backend import keras
from skinlesion.model.model_file import first_sentence
from skinlesion.runtime.errors import UserError
from skinlesion.runtime.params.rows import Backbone, HeadLayer
from skinlesion.train.network import backbones, heads, preprocessing


def build(
    backbone: Backbone,
    head: list[HeadLayer],
    size: int,
    weights: str | None,
    precision: str = "float32",
    attention: str = "none",
) -> keras.Model:
    """Build a classifier from RGB 0-255 (N, size, size, 3), uint8 or float, to probabilities (N, 7) as CODES.

    Args:
        backbone, head: rows of networks.yaml.
        size: side of the images in px.
        weights: of the backbone: `imagenet`, None (random), or a file.
        precision: Keras' dtype policy; it is set for the whole process.
        attention: none, or se: squeeze-and-excitation on the feature map.

    Raises:
        UserError: as build_backbone, or Keras could not save the model after its training.
    """
    keras.config.set_dtype_policy(precision)
    image = keras.Input((size, size, 3), name="image", dtype="float32")
    body = backbones.build_backbone(backbone, size, weights)
    pixels = preprocessing.build_preprocessing(backbone.preprocessing, size)(image)
    probabilities = heads.build_head(head, body.output.shape[1:], attention)(body(pixels))
    model = keras.Model(image, probabilities, name="skinlesion")
    try:
        model.to_json()
    except Exception as error:  # a layer's own code fails
        fault = f"Keras cannot save {backbone.constructor} ({first_sentence(error)})"
        raise UserError(f"networks.yaml: backbones: {fault}. Set model.backbone to another one") from None
    return model
