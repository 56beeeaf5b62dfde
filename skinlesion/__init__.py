"""HAM10000 from the archive to an honest result: the stages of a DVC pipeline, and what a trained model is used with.

>>> import skinlesion
>>> model = skinlesion.load("models/model.keras")  # doctest: +SKIP
>>> model.predict("lesion.jpg")  # doctest: +SKIP
{'akiec': 0.01, 'bcc': 0.02, 'bkl': 0.05, 'df': 0.0, 'mel': 0.11, 'nv': 0.81, 'vasc': 0.0}
>>> model.looks_unlike("lesion.jpg")  # doctest: +SKIP
False
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skinlesion.model.classify import Classifier

# Before TensorFlow is loaded. It turns oneDNN on by itself only where the CPU has AVX-512 VNNI; on others, most laptops
# among them, training takes twice as long without. TF_ENABLE_ONEDNN_OPTS=0 turns it off.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def load(path: str | Path) -> "Classifier":
    """Read a model that the pipeline trained, models/model.keras: see the methods `predict` and `looks_unlike`.

    Keras is started here.

    Raises:
        UserError: the file is missing, damaged, or no model of this pipeline.
    """
    from skinlesion.model.classify import Classifier

    return Classifier.load(Path(path))
