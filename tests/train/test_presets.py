"""Every preset trains: its head, attention, phases and options, on a small backbone and a few images."""

import numpy as np
import pytest
import yaml

from skinlesion.commands.preset.presets import differences
from skinlesion.model.backend import keras
from skinlesion.train.fit import fit
from skinlesion.train.network.build import build
from tests.helpers.chain import ROOT
from tests.helpers.one_block import one_block

pytestmark = pytest.mark.training

PRESETS = sorted((ROOT / "presets").glob("*.yaml"))


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_one_epoch_of_each_phase(path, document, change):
    preset = yaml.safe_load(path.read_text())["params"]
    settings = change({".".join(key): value for key, value in differences(document, preset).items()})
    keras.utils.set_random_seed(settings.seed)
    labels = np.arange(14) % 7
    images = np.random.default_rng(1).integers(0, 256, (len(labels), 32, 32, 3), dtype=np.uint8)
    backbone = one_block(settings.backbones["resnet18"])
    model = build(backbone, settings.head, 32, weights=None, attention=settings.model.attention)
    # The published networks have more layers than this one.
    phases = [row.model_copy(update={"train": 5} if row.train == 100 else {}) for row in settings.phases]
    section = settings.train.model_copy(update={"max_epochs": 1, "batch_size": 7})
    before = model.get_weights()
    history, best = fit(model, (images, labels), (images, labels), phases, section, settings.seed)
    assert len(history) == len(phases)
    assert 1 <= best <= len(phases)
    assert np.isfinite(history.select_dtypes("number").to_numpy()).all()
    assert any(not np.array_equal(*pair) for pair in zip(before, model.get_weights(), strict=True))
    assert ("excite" in [layer.name for layer in model.get_layer("head").layers]) == (path.stem == "resnet50_se")
