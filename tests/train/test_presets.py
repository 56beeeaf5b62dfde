"""Every preset trains: its head, attention, phases and options, on a small backbone and a few images."""

from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import yaml

from skinlesion.commands.preset.presets import differences
from skinlesion.core.ham10000 import CODES
from skinlesion.model.backend import keras
from skinlesion.runtime.params import Params
from skinlesion.runtime.params.rows import Backbone
from skinlesion.train.fit import fit
from skinlesion.train.network.build import build
from tests.helpers.chain import ROOT

pytestmark = pytest.mark.training

PRESETS = sorted((ROOT / "presets").glob("*.yaml"))
SMALL = Backbone(
    constructor="keras_hub.models.ResNetBackbone",
    arguments={
        "input_conv_filters": [64],
        "input_conv_kernel_sizes": [3],
        "stackwise_num_filters": [64],
        "stackwise_num_blocks": [1],
        "stackwise_num_strides": [1],
        "block_type": "basic_block",
    },
    preprocessing="caffe",
    smallest=16,
    multiple=1,
    class_tokens=None,
    imagenet="imagenet",
)


def settings_of(path: Path, document: dict) -> Params:
    """The committed params with a preset over them."""
    content = deepcopy(document)
    for key, value in differences(content, yaml.safe_load(path.read_text())["params"]).items():
        section = content
        for name in key[:-1]:
            section = section[name]
        section[key[-1]] = value
    return Params.model_validate(content)


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_one_epoch_of_each_phase(path, document):
    settings = settings_of(path, document)
    keras.utils.set_random_seed(settings.seed)
    labels = np.tile(np.arange(len(CODES)), 3)
    images = np.random.default_rng(1).integers(0, 256, (len(labels), 32, 32, 3), dtype=np.uint8)
    model = build(SMALL, settings.head, 32, weights=None, attention=settings.model.attention)
    # The layers of the published networks are more than the small one's.
    phases = [one.model_copy(update={"train": 5} if one.train == 100 else {}) for one in settings.phases]
    how = settings.train.model_copy(update={"max_epochs": 1, "batch_size": 7})
    before = model.get_weights()
    history, best = fit(model, (images, labels), (images, labels), phases, how, settings.seed)
    assert len(history) == len(phases)
    assert 1 <= best <= len(phases)
    assert np.isfinite(history.select_dtypes("number").to_numpy()).all()
    assert any(not np.array_equal(x, y) for x, y in zip(before, model.get_weights(), strict=True))
    assert ("excite" in [layer.name for layer in model.get_layer("head").layers]) == (path.stem == "resnet50_se")
