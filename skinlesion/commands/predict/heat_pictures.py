"""Pictures of what spoke for the predicted class, one for each image."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from skinlesion.commands.outputs import SOFTWARE
from skinlesion.core import images
from skinlesion.explain.gradcam import Explainer
from skinlesion.explain.overlay import overlay
from skinlesion.model.bundle import Bundle
from skinlesion.model.classify import DECODERS, Batch
from skinlesion.runtime.files import replace_file

SIDE = 448  # px: people see more than the model does


def write(bundle: Bundle, explainer: Explainer, batch: Batch, folder: Path, names: Sequence[str]) -> None:
    """Write a PNG for each image of the batch, its Grad-CAM for the predicted class laid over the model's square.

    Args:
        explainer: of the bundle's model.
        names: of the PNGs, without suffix, in the order of batch.files.

    Raises:
        BadImage: a file that could be read before no longer can.
        OSError: a picture cannot be written.
    """
    side = max(SIDE, bundle.model.input_shape[1])
    own = PngInfo()
    own.add_text("Software", SOFTWARE)  # by which outputs.check_pictures knows them

    def draw(file: Path, name: str, heat: np.ndarray) -> None:
        image, _ = images.square(file, side, bundle.fit)
        with replace_file(folder / f"{name}.png") as partial:
            Image.fromarray(overlay(image, heat)).save(partial, "PNG", pnginfo=own, compress_level=1)

    with ThreadPoolExecutor(DECODERS) as threads:
        list(threads.map(draw, batch.files, names, explainer.heatmaps(batch.squares, batch.predicted)))
